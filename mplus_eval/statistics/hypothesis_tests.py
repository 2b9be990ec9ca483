"""Two-sided tests of "no difference" that need no assumption about the size of the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics import binomial
from mplus_eval.statistics.design import Floats, Integers

N_FLIPS = 19_999
"""Random sign flips where they cannot all be counted; with them no p-value is below 1/20,000."""

_ENUMERATED = 14
_LATTICE_CELLS = 200_000
_CHUNK_CELLS = 4_000_000
_INVERTED = 60
"""Up to so many, numpy draws from a binomial of probability ½ by inversion."""
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Significance:
    """What a two-sided test found.

    Attributes:
        p_value: the p-value.
        attainable: all p-values that the test can give, rising, where it is exact: each is the chance, if there is no
            difference, of a p-value as small. None where p-values may be anything.
    """

    p_value: float
    attainable: Floats | None = None

    def chance_of(self, p_value: float) -> float:
        """The chance, if there is no difference, of a p-value as small as this; never above it."""
        if self.attainable is None:
            return p_value
        reached = int(np.searchsorted(self.attainable, p_value * (1 + _SAME), side="right"))
        return min(float(self.attainable[reached - 1]), p_value) if reached else 0.0


def mcnemar_test(lost: int, gained: int) -> Significance:
    """The exact McNemar test of one sample, with the p-values that as many pairs that differ can give."""
    n = lost + gained
    fewer = np.arange(n // 2 + 1)
    return Significance(float(mcnemar(lost, gained)), np.asarray(mcnemar(fewer, n - fewer)))


def mcnemar(lost: ArrayLike, gained: ArrayLike) -> Floats:
    """Exact two-sided McNemar test: of the pairs that differ, half are expected either way (McNemar 1947).

    Args:
        lost: pairs right before and wrong after; shapes broadcast.
        gained: pairs wrong before and right after.
    """
    b, c = np.asarray(lost), np.asarray(gained)
    return np.asarray(np.minimum(1.0, 2.0 * binomial.cdf(np.minimum(b, c), b + c, 0.5)))


def sign_flip(contributions: ArrayLike, generator: np.random.Generator) -> Significance:
    """Two-sided sign-flip permutation test of a sum that is expected to be 0.

    If the models are alike, exchanging their names on a whole cluster changes nothing, so every cluster's
    contribution may have either sign. The p-value is the share of sign patterns with a sum as far from 0 as the
    one observed: counted in full where contributions are multiples of one number (0/1 scores) or few, else over
    `N_FLIPS` random patterns as (b + 1)/(m + 1) (Phipson & Smyth 2010).

    Args:
        contributions: shape (clusters,), what each cluster adds to the difference.
        generator: source of randomness, used only where patterns are drawn.
    """
    values = np.asarray(contributions, dtype=float)
    observed = abs(float(values.sum()))
    sizes, counts = _distinct(np.abs(values))
    if sizes.size == 0:
        return Significance(1.0, np.ones(1))
    whole = sizes / sizes[0]
    reach = float(whole.round() @ counts)
    if np.all(np.abs(whole - whole.round()) < 1e-6) and reach * sizes.size < _LATTICE_CELLS:
        return _lattice(whole.round().astype(int), counts, observed / sizes[0])
    if counts.sum() <= _ENUMERATED:
        sums = np.zeros(1)
        for size in np.repeat(sizes, counts):
            sums = np.concatenate([sums - size, sums + size])
        return _tails(np.abs(sums), np.full(sums.size, 1.0 / sums.size), observed)
    sums = _random_sums(sizes, counts, generator)
    return Significance(float((np.sum(np.abs(sums) >= observed * (1 - _SAME)) + 1) / (N_FLIPS + 1)))


def _distinct(sizes: Floats) -> tuple[Floats, Integers]:
    """The distinct sizes above 0 and how often each occurs; sizes that rounding alone tells apart are one."""
    largest = float(sizes.max(initial=0.0))
    ordered = np.sort(sizes[sizes > largest * _SAME])
    if ordered.size == 0:
        return ordered, np.zeros(0, dtype=np.int64)
    first = np.r_[True, np.diff(ordered) > largest * _SAME]
    return ordered[first], np.diff(np.append(np.flatnonzero(first), ordered.size))


def _lattice(steps: Integers, counts: Integers, observed: float) -> Significance:
    """The exact distribution of the sum: one binomial for each step size, added up by convolution."""
    distribution = np.ones(1)
    for step, count in zip(steps, counts, strict=True):
        spaced = np.zeros(2 * step * count + 1)
        spaced[:: 2 * step] = binomial.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, spaced)
    reach = distribution.size // 2
    sums = np.abs(np.arange(distribution.size) - reach)
    return _tails(sums[distribution > 0], distribution[distribution > 0], round(observed))


def _tails(sums: Floats | Integers, chances: Floats, observed: float) -> Significance:
    """The chance of a sum as far from 0 as the one observed, and as far as any other.

    Args:
        sums: shape (patterns,), how far from 0.
        chances: of each.
        observed: how far from 0.
    """
    order = np.argsort(-sums, kind="stable")
    far, tail = sums[order].astype(float), np.cumsum(chances[order])
    # Sums that rounding alone tells apart are one, with the chance of the last of them.
    last = np.r_[far[:-1] - far[1:] > far[0] * _SAME, True]
    far, tail = far[last], np.minimum(tail[last], 1.0)
    p_value = tail[np.searchsorted(-far, -observed + far[0] * _SAME, side="right") - 1]
    return Significance(float(p_value), tail)


def _random_sums(sizes: Floats, counts: Integers, generator: np.random.Generator) -> Floats:
    """Sums under random signs: of each size how many contributions are positive, of single ones, the many, by a bit."""
    several = counts > 1
    single = np.where(several, 0.0, sizes)
    rows = max(1, _CHUNK_CELLS // sizes.size)
    chunks = []
    for start in range(0, N_FLIPS, rows):
        n = min(rows, N_FLIPS - start)
        # The first of 32 bits is what `integers(0, 2)` takes too.
        bits = generator.integers(0, 2**32, size=(n, sizes.size), dtype=np.uint32)
        bits >>= 31
        positive = bits @ single + sizes[several] @ _positive(counts[several], n, generator)
        chunks.append(2.0 * positive - counts @ sizes)
    return np.concatenate(chunks)


def _positive(repeats: Integers, n_patterns: int, generator: np.random.Generator) -> Floats | Integers:
    """How many of equal contributions are positive; shape (sizes, patterns).

    Of few, numpy's binomial inverts the distribution at one uniform number, and makes it anew for each; here it is made
    once, and the numbers are the same.
    """
    shape = (n_patterns, repeats.size)
    if np.any(repeats > _INVERTED):
        return generator.binomial(repeats, 0.5, size=shape).T
    positive = generator.random(shape).T.copy()
    for row, n in zip(positive, repeats, strict=True):
        row[:] = sum(row > chance for chance in binomial.cdf(np.arange(n), n, 0.5))
    return positive
