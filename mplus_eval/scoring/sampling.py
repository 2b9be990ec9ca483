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
"""Top-p looks at so many of the likeliest tokens before it sorts the vocabulary."""


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
    if sampling.top_k is None and sampling.top_p == 1:
        return _invert(probabilities, uniform).tolist()
    kept, tokens = _nucleus(probabilities, sampling)
    places = _invert(kept, uniform)
    return tokens.gather(-1, places[:, None])[:, 0].tolist()


def _nucleus(probabilities: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Probabilities in falling order, 0 outside the nucleus, and their tokens."""
    size = probabilities.shape[-1]
    count = min(sampling.top_k or FIRST_CANDIDATES, size)
    top, tokens = probabilities.topk(count, -1)
    if sampling.top_k is None and bool((top.sum(-1) < sampling.top_p).any()):
        top, tokens = probabilities.sort(-1, descending=True)
    top = top.double()
    whole = top.sum(-1, keepdim=True) if sampling.top_k is not None else 1.0
    before = top.cumsum(-1) - top
    return top.masked_fill(before >= sampling.top_p * whole, 0.0), tokens


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The first place, (rows), up to which more than `uniform` of the sum lies; never one of probability 0."""
    cumulated = probabilities.cumsum(-1, dtype=torch.float64)
    total = cumulated[:, -1:]
    # Rounding must not lift the product to the whole sum, which no place exceeds.
    wanted = torch.minimum(uniform.to(total.device)[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, wanted, right=True)[:, 0]
