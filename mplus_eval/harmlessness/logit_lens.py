"""The logit lens: what a decoder would say next if it stopped after some layer.

The residual stream h at the last position of a prompt, after each attention and after each MLP, is put through the
model's own ending, final norm and unembedding: softmax(W · norm(h)). The probability of a set of tokens at a point is
the sum over the set. At the last point this is the model's own next-token probability, which is checked.

nostalgebraist, "interpreting GPT: the logit lens" (2020); Lee et al., arXiv 2401.01967, figure 1. The ending is not
copied but run, the model's own forward with all layers skipped, so that whatever it does there (soft-capping, scaling,
a projection) is done here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.residual_stream import (
    Arguments,
    Layer,
    Options,
    Output,
    architecture,
    find_layers,
    first_tensor,
    hooks,
    last_logits,
    probe_tokens,
)
from mplus_eval.statistics.design import Floats

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_SIZE = 16
ROWS = 64
"""So many points are put through the unembedding at once: a vocabulary is large."""
_TOLERANCE = 1e-5
_ROUNDINGS = 4


@dataclass(frozen=True)
class Lens:
    """A decoder and the points at which its residual stream is read."""

    model: PreTrainedModel
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, model: PreTrainedModel) -> Self:
        """Look into a model.

        Args:
            model: a causal language model of transformers, in evaluation mode.

        Raises:
            UsageError: when its layers cannot be read, or when what is read after the last one does not give the
                model's own next-token probabilities.
        """
        lens = cls(model, find_layers(model))
        tokens = probe_tokens(model)
        with torch.inference_mode():
            own = last_logits(model, tokens).float().softmax(-1)
            read = lens._end(lens._states(tokens)[:, -1]).softmax(-1)
        difference = float((read - own).abs().max())
        # Written so that a difference that is no number is refused too.
        if not difference <= max(_TOLERANCE, _ROUNDINGS * torch.finfo(model.dtype).eps):
            raise UsageError(
                f"{architecture(model)}: what is read after its last layer is not its own next-token probability "
                f"(largest difference {difference:.2g}), so its layers cannot be looked into"
            )
        return lens

    @property
    def points(self) -> tuple[str, ...]:
        """Names of the points, in order; layers count from 1."""
        return tuple(
            f"layer {number}{part}"
            for number, layer in enumerate(self.layers, 1)
            for part in ([""] if layer.after_attention is None else [", attention", ", mlp"])
        )

    def probabilities(self, prompts: Sequence[Sequence[int]], tokens: Sequence[int]) -> Floats:
        """The probability that the token after a prompt is one of a set, at every point.

        Prompts of equal length go through the model together, so there is no padding.

        Args:
            prompts: token ids of each prompt.
            tokens: ids of the set.

        Returns:
            (prompts, points); NaN for a prompt that is empty, longer than the model's context, or where the model
            returns what is no number.
        """
        masses = np.full((len(prompts), len(self.points)), np.nan)
        wanted = torch.tensor(sorted(set(tokens)), dtype=torch.long)
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        by_length: dict[int, list[int]] = defaultdict(list)
        for number, prompt in enumerate(prompts):
            if 0 < len(prompt) <= context:
                by_length[len(prompt)].append(number)
        batches = (
            numbers[start : start + BATCH_SIZE]
            for numbers in by_length.values()
            for start in range(0, len(numbers), BATCH_SIZE)
        )
        for batch in batches:
            states = self._states(torch.tensor([list(prompts[number]) for number in batch]))
            parts = []
            for some in states.flatten(0, 1).split(ROWS):
                probabilities = self._end(some).softmax(-1)
                parts.append(probabilities[:, wanted.to(probabilities.device)].double().sum(-1).cpu())
            masses[batch] = torch.cat(parts).reshape(states.shape[:2]).numpy()
        return masses

    @torch.inference_mode()
    def _states(self, tokens: Tensor) -> Tensor:
        """The residual stream at the last position; shape (batch, points, width)."""
        caught: list[Tensor] = []

        def catch(values: Output) -> None:
            # Copied, because a later part may add to the stream in place.
            stream = first_tensor(values)
            assert stream is not None
            caught.append(stream.reshape(*tokens.shape, -1)[:, -1].clone())

        def before(_part: Module, args: Arguments, options: Options) -> None:
            catch((*args, *options.values()))

        def after(_block: Module, _args: Arguments, output: Output) -> None:
            catch(output)

        inner = [layer.after_attention for layer in self.layers if layer.after_attention is not None]
        with hooks(
            *(part.register_forward_pre_hook(before, with_kwargs=True) for part in inner),
            *(layer.block.register_forward_hook(after) for layer in self.layers),
        ):
            last_logits(self.model, tokens)
        return torch.stack([state.to(caught[-1].device) for state in caught], 1)

    @torch.inference_mode()
    def _end(self, states: Tensor) -> Tensor:
        """Put states, (rows, width), through the model's ending; logits in float32, (rows, vocabulary)."""
        with _skipped(self.layers, states[:, None]):
            return last_logits(self.model, torch.ones(len(states), 1, dtype=torch.long)).float()


@contextmanager
def _skipped(layers: Sequence[Layer], states: Tensor) -> Iterator[None]:
    """Let every layer return these states at once, in the form that it returns its own."""
    with ExitStack() as stack:
        for layer in layers:
            # A forward that another library put there stands in the block itself, and is put back into it.
            own = vars(layer.block)
            if "forward" in own:
                stack.callback(setattr, layer.block, "forward", own["forward"])
            else:
                stack.callback(delattr, layer.block, "forward")
            output = states if layer.n_outputs is None else (states, *[None] * (layer.n_outputs - 1))
            layer.block.forward = lambda *_args, _output=output, **_options: _output
        yield
