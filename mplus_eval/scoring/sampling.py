"""Drawing tokens so that a draw depends on the logits of its own sequence and on its own generator only.

Every token takes one uniform number u from the generator of its request and is found by inverting the distribution
function: the first token, in order of falling probability where top-k or top-p sort them and in order of the
vocabulary otherwise, up to which the probabilities add to more than u times their sum. So the same seed gives the same
tokens in any batch, unless u falls within rounding of a boundary between two tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mplus_eval.errors import UsageError

FIRST_CANDIDATES = 512
"""Top-p looks at so many of the likeliest tokens before it sorts the whole vocabulary."""

BLOCK = 256
"""Neighbours in the vocabulary whose probabilities are added up at once."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; temperature first, then top-k, then top-p of what is left, as transformers does."""

    temperature: float = 1.0
    top_p: float = 1.0
    """The likeliest tokens whose probabilities add to this, the one that crosses it included."""
    top_k: int | None = None

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise UsageError(f"temperature {self.temperature}: must be above 0; ask for greedy generation instead of 0")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p {self.top_p}: must be above 0 and at most 1")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k {self.top_k}: must be at least 1; leave it out to draw from all tokens")


def draw(logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> list[int]:
    """Draw one token for every row.

    Args:
        logits: (rows, vocabulary).
        sampling: of all rows.
        generators: one a row; each gives one number.
    """
    probabilities = torch.softmax(logits.float() / sampling.temperature, -1)
    uniform = torch.stack([torch.rand((), generator=one, dtype=torch.float64) for one in generators])
    uniform = uniform.to(probabilities.device)
    if sampling.top_k is None and sampling.top_p == 1:
        return _invert_in_blocks(probabilities, uniform).tolist()
    return _draw_likely(probabilities, uniform, sampling, sampling.top_k or FIRST_CANDIDATES).tolist()


def _draw_likely(probabilities: Tensor, uniform: Tensor, sampling: Sampling, count: int) -> Tensor:
    """Draw from the nucleus, which is looked for in the `count` likeliest tokens, and in all where it is larger."""
    size = probabilities.shape[-1]
    top, tokens = probabilities.topk(min(count, size), -1)
    top = top.double()
    whole = top.sum(-1, keepdim=True) if sampling.top_k is not None else torch.ones_like(top[:, :1])
    before = top.cumsum(-1) - top
    places = _invert(top.masked_fill(before >= sampling.top_p * whole, 0.0), uniform)
    drawn = tokens.gather(-1, places[:, None])[:, 0]
    if sampling.top_k is None and count < size:
        larger = top.sum(-1) < sampling.top_p
        if bool(larger.any()):
            drawn[larger] = _draw_likely(probabilities[larger], uniform[larger], sampling, size)
    return drawn


def _invert_in_blocks(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """As `_invert`, but adding up no more than the block where the place lies; several times faster."""
    if missing := -probabilities.shape[-1] % BLOCK:
        probabilities = torch.nn.functional.pad(probabilities, (0, missing))
    blocks = probabilities.unflatten(-1, (-1, BLOCK))
    masses = blocks.sum(-1).double()
    block = _invert(masses, uniform)[:, None]
    left = uniform[:, None] * masses.sum(-1, keepdim=True) - (masses.cumsum(-1) - masses).gather(-1, block)
    inside = blocks.take_along_dim(block[..., None], 1)[:, 0].double()
    within = (left / masses.gather(-1, block))[:, 0].clamp(0, 1)
    return block[:, 0] * BLOCK + _invert(inside, within)


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The first place, (rows), up to which more than `uniform` of the sum lies; never one of probability 0."""
    cumulated = probabilities.cumsum(-1)
    total = cumulated[:, -1:]
    # Rounding must not lift the product to the whole sum, which no place exceeds.
    wanted = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, wanted, right=True)[:, 0]
