"""The power of the two tests that a verdict rests on, counted over all samples of independent pairs.

A pair is lost, gained or unchanged. Of two models that are equally good, a share q of the pairs differs, half of them
either way. A true loss d adds to that: q + d of the pairs differ, of which q/2 + d are lost and q/2 are gained.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics import binomial
from mplus_eval.statistics.design import Floats, Integers
from mplus_eval.statistics.estimate import SPARSE_INFLATION
from mplus_eval.statistics.score_interval import score_statistic

_LARGEST_TABLE = 2**14
"""Numbers of pairs up to which a table of critical numbers is made at once; beyond, only those that are asked for."""
_MARGIN = 64
_TAIL = 1e-9
"""Counts are left out where they hold less than this of the probability on either side."""


def power_of_difference(pairs: int, discordance: float, loss: float, level: float, added: float = 1.0) -> float:
    """How often the exact McNemar test finds the model worse at `level`, two-sided.

    The interval of confidence 1 − `level` then lies below 0 as well: the exact test is the stricter of the two. Summed
    over the number of discordant pairs, of which the lost are binomial (Connor 1987 approximates this sum).

    Args:
        pairs: independent pairs.
        discordance: share of pairs that differ where nothing is lost, in [0, 1].
        loss: the true loss, above 0 and at most 1.
        level: of the two-sided test, above 0.
        added: share of the loss that adds to what differs.
    """
    if pairs < 1:
        return 0.0
    lost, gained = shares(discordance, loss, added)
    counts = binomial.likely(pairs, lost + gained, _TAIL)
    # With one more lost pair than this, the one-sided probability is at most level/2.
    most = _most_by_chance(level, _table_size(int(counts[-1])))[counts]
    found = binomial.sf(most, counts, lost / (lost + gained))
    return float(np.sum(binomial.pmf(counts, pairs, lost + gained) * found))


def power_of_non_inferiority(pairs: int, discordance: float, margin: float, level: float, loss: float = 0.0) -> float:
    """How often Nam's test excludes a loss of `margin` or more, one-sided at half of `level`.

    Summed over the number of lost pairs: for each, the test holds from some number of gained pairs on.

    Args:
        pairs: independent pairs.
        discordance: share of pairs that differ where nothing is lost or gained, in [0, 1].
        margin: above 0.
        level: of the two-sided interval that must lie above −`margin`.
        loss: the true loss, below `margin`; negative for a gain.
    """
    if pairs < 2:
        return 0.0
    lost_share, gained_share = shares(discordance, loss)
    lost = binomial.likely(pairs, lost_share, _TAIL)
    least = _least_gained(lost, pairs, margin, _critical(level, pairs))
    gained_of_rest = min(gained_share / (1.0 - lost_share), 1.0) if lost_share < 1.0 else 0.0
    found = binomial.sf(least - 1, pairs - lost, gained_of_rest)
    return float(np.sum(binomial.pmf(lost, pairs, lost_share) * found))


def power_of_a_verdict(
    pairs: int, up: float, down: float, margin: float, level_difference: float, level_margin: float
) -> float:
    """How often either a difference is shown or a loss of the margin excluded, whichever it is.

    Summed over the number of lost pairs: for each, a loss is shown up to some number of gained pairs, and from some
    other number on a gain is shown, or the margin excluded.

    Args:
        pairs: independent pairs.
        up: share of pairs that are gained.
        down: share of pairs that are lost.
        margin: above 0.
        level_difference: of the two-sided test of the difference.
        level_margin: two-sided; non-inferiority is tested at half of it.
    """
    if pairs < 2:
        return 0.0
    lost = binomial.likely(pairs, down, _TAIL)
    kept = _least_gained(lost, pairs, margin, _critical(level_margin, pairs))
    kept = np.minimum(kept, _least_gained_better(lost, pairs, level_difference))
    worse = _most_gained_worse(lost, level_difference)
    chances = pairs - lost, min(up / (1.0 - down), 1.0) if down < 1.0 else 0.0
    undecided = np.maximum(binomial.cdf(kept - 1, *chances) - binomial.cdf(worse, *chances), 0.0)
    return float(np.sum(binomial.pmf(lost, pairs, down) * (1.0 - undecided)))


def shares(discordance: float, loss: float, added: float = 1.0) -> tuple[float, float]:
    """The shares of pairs that are lost and gained where the true loss is `loss`; no more than all pairs can differ.

    Args:
        discordance: share of pairs that differ where nothing is lost.
        loss: the true one; negative for a gain.
        added: share of the loss that adds to what differs: all of it where few pairs do, nothing where all do.

    >>> shares(0.08, 0.02)
    (0.06, 0.04)
    """
    differing = min(max(discordance + added * abs(loss), abs(loss)), 1.0)
    return (differing + loss) / 2.0, (differing - loss) / 2.0


def sparse_inflation(clusters: ArrayLike) -> Floats:
    """By how much the variance is taken larger where few clusters differ, as the interval takes it."""
    k = np.asarray(clusters, dtype=float)
    return np.asarray(1.0 + SPARSE_INFLATION * k / (k + 1.0) ** 2)


def _table_size(largest: int) -> int:
    """Of a table that has an entry for this number: a power of two, so that few are made."""
    return 1 << largest.bit_length()


@lru_cache(maxsize=64)
def _most_by_chance(level: float, size: int) -> Floats:
    """For each number of discordant pairs below `size`, the lost ones that more than level/2 of all samples exceed.

    A search asks for the same numbers some dozen times.
    """
    from scipy.stats import binom

    return np.asarray(binom.isf(level / 2.0, np.arange(size), 0.5))


def _most_gained_worse(lost: Integers, level: float) -> Integers:
    """The most gained pairs with which McNemar's test finds a loss; −1 where it finds none."""
    size = _table_size(int(lost[-1]))
    return _most_gained(level, size)[lost] if size <= _LARGEST_TABLE else _search_most_gained(lost, level)


@lru_cache(maxsize=64)
def _most_gained(level: float, size: int) -> Integers:
    """The same for each number of lost pairs below `size`, which a search asks for again and again."""
    return _search_most_gained(np.arange(size), level)


def _search_most_gained(lost: Integers, level: float) -> Integers:
    found, beyond = np.full_like(lost, -1), lost.copy()
    while np.any(beyond - found > 1):
        gained = np.maximum((found + beyond) // 2, 0)
        shown = 2.0 * binomial.cdf(gained, lost + gained, 0.5) < level
        found, beyond = np.where(shown, gained, found), np.where(shown, beyond, gained)
    return found


def _least_gained_better(lost: Integers, pairs: int, level: float) -> Integers:
    """The fewest gained pairs with which McNemar's test finds a gain; more than there are where it finds none."""
    size = _table_size(min(2 * int(lost[-1]) + _MARGIN, pairs))
    # What is a loss one way round is a gain the other way round.
    if size <= _LARGEST_TABLE and (size > pairs or _most_gained(level, size)[-1] >= lost[-1]):
        return np.minimum(np.searchsorted(_most_gained(level, size), lost), pairs + 1)
    return _search_least_gained(lost, pairs, level)


def _search_least_gained(lost: Integers, pairs: int, level: float) -> Integers:
    short, enough = lost.copy(), np.full_like(lost, pairs + 1)
    while np.any(enough - short > 1):
        gained = (short + enough) // 2
        shown = 2.0 * binomial.cdf(lost, lost + gained, 0.5) < level
        short, enough = np.where(shown, short, gained), np.where(shown, gained, enough)
    return enough


def _critical(level: float, pairs: int) -> float:
    """What Nam's statistic must exceed, one-sided at half of `level`."""
    from scipy.special import stdtrit

    return -float(stdtrit(pairs - 1, level / 2.0))


def _least_gained(lost: Integers, pairs: int, margin: float, critical: float) -> Integers:
    """The fewest gained pairs for which non-inferiority is shown, by bisection; more than there are where none do."""
    short, enough = np.full_like(lost, -1), pairs - lost + 1
    while np.any(enough - short > 1):
        gained = np.maximum((short + enough) // 2, 0)
        size = pairs / sparse_inflation(lost + gained)
        shown = score_statistic(-margin, gained / pairs, lost / pairs, size) > critical
        short, enough = np.where(shown, short, gained), np.where(shown, gained, enough)
    return enough
