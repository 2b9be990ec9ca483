"""Generation by transformers itself, in padded batches: where the tree's generator does not serve.

What was generated is known token by token, as from the tree: where it ended, and by what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from mplus_eval.inference.generation import Prompt
from mplus_eval.inference.logits import input_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def generate_padded(
    model: PreTrainedModel, prompts: Sequence[Prompt], others: Sequence[Mapping[str, Any]], batch_size: int, pad: int
) -> list[tuple[int, ...]]:
    """Go on from every prompt, as `TreeGenerator.generate` does; seeds of the prompts are not heeded.

    Args:
        model: of transformers.
        prompts: what to go on from, and until when.
        others: settings of each that transformers knows beside those of a prompt.
        batch_size: prompts that are fed at once.
        pad: the token that fills a shorter prompt from the left.

    Returns:
        The new tokens; the last is the end token, or the one that completed the stop string, if there was one.
    """
    results: list[tuple[int, ...]] = [()] * len(prompts)
    groups: dict[str, list[int]] = {}
    for number, (prompt, other) in enumerate(zip(prompts, others, strict=True)):
        if prompt.max_new_tokens > 0:
            key = f"{prompt.max_new_tokens} {prompt.sampling} {sorted(prompt.end_tokens)} {sorted(other.items())}"
            groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        # The longest first, so that memory runs out at once or never.
        order = sorted(numbers, key=lambda number: -len(prompts[number].tokens))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            made = _batch(model, [prompts[number] for number in batch], others[batch[0]], pad)
            for number, tokens in zip(batch, made, strict=True):
                results[number] = tokens
    return results


def _batch(
    model: PreTrainedModel, prompts: Sequence[Prompt], other: Mapping[str, Any], pad: int
) -> list[tuple[int, ...]]:
    longest = max(len(prompt.tokens) for prompt in prompts)
    ids = [[pad] * (longest - len(prompt.tokens)) + list(prompt.tokens) for prompt in prompts]
    mask = [[0] * (longest - len(prompt.tokens)) + [1] * len(prompt.tokens) for prompt in prompts]
    first, device = prompts[0], input_device(model)
    sampling: dict[str, Any] = {"do_sample": False}
    if first.sampling is not None:
        # Transformers adds a top-k of 50 where none is named.
        top_k = first.sampling.top_k or 0
        sampling = {
            "do_sample": True,
            "temperature": first.sampling.temperature,
            "top_p": first.sampling.top_p,
            "top_k": top_k,
        }
    stopped = _Stopped(prompts, longest)
    generate: Any = model.generate
    made = generate(
        input_ids=torch.tensor(ids, device=device),
        attention_mask=torch.tensor(mask, device=device),
        max_new_tokens=first.max_new_tokens,
        eos_token_id=sorted(first.end_tokens) or None,
        pad_token_id=pad,
        stopping_criteria=StoppingCriteriaList([stopped]),
        **sampling,
        **other,
    )
    return [
        tuple(row[: stopped.lengths.get(place) or _length(prompt, row)])
        for place, (prompt, row) in enumerate(zip(prompts, made[:, longest:].tolist(), strict=True))
    ]


def _length(prompt: Prompt, row: Sequence[int]) -> int:
    """How many tokens come until the first end token or stop string; what follows fills the batch."""
    for n, token in enumerate(row, start=1):
        if token in prompt.end_tokens or (prompt.stopped is not None and prompt.stopped(row[:n])):
            return n
    return len(row)


class _Stopped(StoppingCriteria):
    """Stops each row by its own prompt's end tokens and stop strings."""

    def __init__(self, prompts: Sequence[Prompt], start: int) -> None:
        self.prompts, self.start = prompts, start
        self.lengths: dict[int, int] = {}
        """New tokens of the rows that are done; of beams it cannot be said which of them a row becomes."""

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        n_beams = len(input_ids) // len(self.prompts)
        done = []
        for place, row in enumerate(input_ids[:, self.start :].tolist()):
            prompt = self.prompts[place // n_beams]
            ended = row[-1] in prompt.end_tokens or (prompt.stopped is not None and prompt.stopped(row))
            done.append(place in self.lengths or ended)
            if ended and n_beams == 1:
                self.lengths.setdefault(place, len(row))
        return torch.tensor(done, device=input_ids.device)
