"""Replay: texts of the base's own kind beside every step, on which the model is held to what the base says of them.

    loss = TRL's loss + coefficient * mean over the texts' tokens of KL(base || model)

The penalty on a model's own answers says nothing of text that it no longer writes, and what is not asked for is
forgotten. InstructGPT mixes pre-training gradients into those of the reward for that reason (Ouyang et al., 2203.02155,
section 3.5); here the base's distribution stands in place of the next token, as in learning without forgetting (Li &
Hoiem, 1606.09282): where nothing was forgotten it has no gradient, so it adds no noise, and it teaches nothing new.

A whole copy of the base is held on every device, unless an adapter is trained, which is switched off instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor

from mplus_eval.training.data.texts import encode_texts
from mplus_eval.training.kl import kl_of_answers
from mplus_eval.training.models import load_trained
from mplus_eval.training.next_tokens import next_tokens
from mplus_eval.training.sampling import evaluating

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Trainer

    from mplus_eval.training.recipe import Optimisation, Recipe
    from mplus_eval.training.training_data import TrainingData

T = TypeVar("T", bound="Trainer")

LOGGED = "replay_kl"


class ReplayedTexts:
    """Texts in an order that depends on the step alone, so that a resumed training sees the same ones."""

    def __init__(self, sequences: Sequence[Sequence[int]], batch_size: int, pad_token_id: int) -> None:
        """Keep token ids of texts, two of each at least."""
        self._sequences, self._batch_size, self._pad = sequences, batch_size, pad_token_id

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """The ids of the batch of that number and which of them are text, both (batch, length)."""
        first = number * self._batch_size
        chosen = [self._sequences[place % len(self._sequences)] for place in range(first, first + self._batch_size)]
        rows = [torch.tensor(ids) for ids in chosen]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self._pad)
        return ids, torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]


def kl_to_base(model: torch.nn.Module, base: torch.nn.Module | None, ids: Tensor, is_text: Tensor) -> Tensor:
    """KL(base || model) over the whole vocabulary, the mean over all tokens that are predicted, in nats.

    Args:
        model: what is trained; gradients flow through it alone.
        base: of the same vocabulary; None for an adapter, whose base is the model without it.
        ids: (batch, length), padded on the right.
        is_text: (batch, length), false where there is padding.
    """
    with torch.no_grad(), _without_adapter(model) if base is None else nullcontext():
        of_base = next_tokens(model if base is None else base, ids, is_text.long())
    of_model = next_tokens(model, ids, is_text.long())
    sums, counts = kl_of_answers(of_base.without_last(), of_model.without_last(), is_text[:, 1:])
    return sums.sum() / counts.sum()


def with_replay(kind: type[T], recipe: Recipe, settings: Optimisation, data: TrainingData) -> type[T]:
    """A trainer of TRL whose loss has the replay's beside its own, where the stage replays anything.

    The KL is logged as `replay_kl`.
    """
    if (replay := recipe.replay_of(settings)) is None:
        return kind
    coefficient, pad = replay.coefficient, data.tokenizer.pad_token_id
    sequences = encode_texts(data.tokenizer, data.replayed.rows, recipe.max_length)
    texts = ReplayedTexts(sequences, replay.batch_size, pad if isinstance(pad, int) else 0)

    class Replaying(kind):  # type: ignore[valid-type, misc]
        _replay_base: torch.nn.Module | None = None
        _replay_place = (-1, 0)
        """The step, and how many batches of it were seen."""

        def compute_loss(
            self, model: torch.nn.Module, inputs: dict[str, object], *arguments: object, **options: object
        ) -> Tensor:
            loss = super().compute_loss(model, inputs, *arguments, **options)
            step, place = self._replay_place
            place = place + 1 if step == self.state.global_step else 0
            self._replay_place = (self.state.global_step, place)
            number = self.state.global_step * self.args.gradient_accumulation_steps + place
            ids, is_text = texts.batch(number * self.accelerator.num_processes + self.accelerator.process_index)
            device = self.accelerator.device
            is_adapter = hasattr(self.accelerator.unwrap_model(model), "disable_adapter")
            if self._replay_base is None and not is_adapter:
                self._replay_base = load_trained(data.base, recipe, device).requires_grad_(False)
            # A model whose head is called apart is not called by itself, which would compute in the recipe's precision.
            with self.accelerator.autocast():
                kl = kl_to_base(model, self._replay_base, ids.to(device), is_text.to(device))
            self._metrics["train"][LOGGED].append(kl.item())
            # The library divides the loss by the batches of a step, unless the trainer has done so by itself.
            n_batches = self.args.gradient_accumulation_steps if self.model_accepts_loss_kwargs else 1
            return cast("Tensor", loss + coefficient * kl / n_batches)

    return Replaying


@contextmanager
def _without_adapter(model: torch.nn.Module) -> Iterator[None]:
    inner = cast("PeftModel", model if hasattr(model, "disable_adapter") else model.module)
    with evaluating(inner), inner.disable_adapter():
        yield
