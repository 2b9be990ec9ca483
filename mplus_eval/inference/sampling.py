"""Drawing tokens so that a draw depends on the logits of its own sequence, its seed and its place only.

The nucleus of top-p is never looked for. A token is drawn from all, and the probabilities of those that are likelier
are added up: below top-p the token lies in the nucleus and is taken. Otherwise neither it nor anything less likely
does, so all of these are put aside and another is drawn from the rest. What is taken is distributed as if drawn from
the nucleus alone, since every draw is from a set that holds the whole nucleus. About 1 - log(top-p) draws are needed,
and no sorting. Among equally likely tokens the one that comes first in the vocabulary counts as the likelier.

Every draw inverts the distribution function twice, over blocks of the vocabulary and inside one, each with a uniform
number of its own: a hash of seed, place and draw. So the same seed gives the same tokens in any batch, unless a number
falls within rounding of a boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mplus_eval.errors import UsageError

BLOCK = 128
"""Neighbours in the vocabulary whose probabilities are added up at once."""
_VALUES_IN_CACHE = 2**20
"""Logits that a processor works on at once."""
_MOST_DRAWS = 2**31
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


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


def draw(logits: Tensor, sampling: Sampling, seeds: Sequence[int], places: Sequence[int]) -> list[int]:
    """Draw one token for every row.

    Args:
        logits: (rows, vocabulary).
        sampling: of all rows.
        seeds: of the row's sequence, any integer.
        places: how many tokens were drawn before in the sequence.
    """
    rows = max(1, _VALUES_IN_CACHE // logits.shape[-1]) if logits.device.type == "cpu" else len(seeds)
    drawn: list[int] = []
    for begin in range(0, len(seeds), rows):
        end = begin + rows
        numbers = _Numbers(seeds[begin:end], places[begin:end], logits.device)
        scores = logits[begin:end].float()
        probabilities = torch.softmax(scores if sampling.temperature == 1 else scores / sampling.temperature, -1)
        if sampling.top_k is None:
            tokens = _from_nucleus(probabilities, sampling.top_p, numbers)
        else:
            # In the order of the vocabulary, by which ties are settled.
            best = probabilities.topk(min(sampling.top_k, probabilities.shape[-1]), -1).indices.sort(-1).values
            chosen = _from_nucleus(probabilities.gather(-1, best), sampling.top_p, numbers)
            tokens = best.gather(-1, chosen[:, None])[:, 0]
        drawn += tokens.tolist()
    return drawn


def uniforms(seeds: NDArray[np.uint64], counters: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1): for each seed, the one at its place in the sequence of SplitMix64 (Steele, Lea, Flood 2014).

    Seeds are mixed first, so that near ones do not give shifted copies of one sequence.
    """
    with np.errstate(over="ignore"):
        mixed = _mixed(_mixed(seeds + _GOLDEN) + (counters + np.uint64(1)) * _GOLDEN)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


class _Numbers:
    """Two uniform numbers a row and draw."""

    def __init__(self, seeds: Sequence[int], places: Sequence[int], device: torch.device) -> None:
        self._seeds = np.array([seed % 2**64 for seed in seeds], np.uint64)
        self._first = np.array([place * 2 * _MOST_DRAWS for place in places], np.uint64)
        self._device = device

    def of(self, rows: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Those of some rows, after so many draws: (rows) each."""
        chosen = rows.cpu().numpy()
        seeds, counters = self._seeds[chosen], self._first[chosen] + np.uint64(2 * n_draws)
        block, inside = (uniforms(seeds, counters + np.uint64(which)) for which in (0, 1))
        return torch.from_numpy(block).to(self._device), torch.from_numpy(inside).to(self._device)


def _from_nucleus(probabilities: Tensor, top_p: float, numbers: _Numbers) -> Tensor:
    """Places drawn from the nucleus of every row, (rows); `probabilities` need not add to 1."""
    if missing := -probabilities.shape[-1] % BLOCK:
        probabilities = torch.nn.functional.pad(probabilities, (0, missing))
    left = torch.arange(len(probabilities), device=probabilities.device)
    masses = _blocks(probabilities).sum(-1).double()
    drawn = places = _invert_in_blocks(probabilities, masses, *numbers.of(left, 0))
    wanted = top_p * masses.sum(-1)
    for n_draws in range(1, _MOST_DRAWS):
        doubtful = top_p < 1 and _doubtful(probabilities, places, wanted)
        if doubtful is False or not bool(doubtful.any()):
            return drawn
        left, wanted = left[doubtful], wanted[doubtful]
        probabilities = _likelier(probabilities[doubtful], places[doubtful])
        masses = _blocks(probabilities).sum(-1).double()
        outside = masses.sum(-1) >= wanted
        left, wanted, probabilities, masses = left[outside], wanted[outside], probabilities[outside], masses[outside]
        places = _invert_in_blocks(probabilities, masses, *numbers.of(left, n_draws))
        drawn[left] = places
    raise AssertionError("the likeliest token lies in every nucleus")


def _doubtful(probabilities: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
    """Whether the other tokens that are as likely as the drawn one or likelier add to the wanted mass, (rows)."""
    own = probabilities.gather(-1, places[:, None])
    # A comparison written as numbers, which a sum takes several times faster than truth values.
    others = torch.ge(probabilities, own, out=torch.empty_like(probabilities)).mul_(probabilities).sum(-1).double()
    return others - own[:, 0] >= wanted


def _likelier(probabilities: Tensor, places: Tensor) -> Tensor:
    """Probabilities with those of the drawn token and of all that are less likely put to 0."""
    own = probabilities.gather(-1, places[:, None])
    later = torch.arange(probabilities.shape[-1], device=places.device) >= places[:, None]
    likelier: Tensor = probabilities.masked_fill((probabilities < own) | ((probabilities == own) & later), 0.0)
    return likelier


def _blocks(probabilities: Tensor) -> Tensor:
    """(rows, blocks, BLOCK)."""
    rows, size = probabilities.shape
    return probabilities.view(rows, size // BLOCK, BLOCK)


def _invert_in_blocks(probabilities: Tensor, masses: Tensor, of_block: Tensor, of_inside: Tensor) -> Tensor:
    """Places, (rows): a block by the first uniform number, a place inside it by the second."""
    block = _invert(masses, of_block)
    inside: Tensor = _blocks(probabilities)[torch.arange(len(block), device=block.device), block]
    return block * BLOCK + _invert(inside.double(), of_inside)


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The first place, (rows), up to which more than `uniform` of the sum lies; never one of probability 0."""
    cumulated = probabilities.cumsum(-1)
    total = cumulated[:, -1:]
    # Rounding must not lift the product to the whole sum, which no place exceeds.
    wanted = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulated, wanted, right=True)[:, 0]
