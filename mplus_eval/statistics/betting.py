"""Evidence about a paired difference of 0/1 scores that stays valid however often it is looked at: betting.

Whoever bets against a supposed difference, item after item and before each is seen, gains nothing on average where
the true one is as supposed. That the wealth ever reaches 1/a has then probability a at most (Ville 1939), for every
number of items and with no appeal to large samples. With y = (1 + change)/2, which is 0, ½ or 1, and μ its supposed
mean, an item multiplies the wealth by 1 − c + c·y/μ (Waudby-Smith & Ramdas 2024, arXiv 2010.09686, section 4); the
wealth here is the mean of those of several bets c, so only counts are needed.

Against no difference an item that changed is worth 1 ± c and any other 1: the ratio of a binomial with a chance of
(1 + c)/2 to a fair coin, as in an anytime-valid McNemar test.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Floats

BETS = np.geomspace(0.05, 0.99, 24)
"""The bets, as shares of the highest that cannot end below 0; small ones serve small differences on many items."""

_BISECTIONS = 40


def log_wealth(difference: ArrayLike, gained: ArrayLike, lost: ArrayLike, n_items: ArrayLike) -> Floats:
    """Logarithm of the wealth of betting that the true difference lies above `difference`; shapes broadcast.

    Args:
        difference: the supposed difference, or any below it, in (−1, 1).
        gained: items whose score rose from 0 to 1.
        lost: items whose score fell.
        n_items: all items.
    """
    from scipy.special import logsumexp

    d, up, down, n = (np.asarray(x, dtype=float)[..., None] for x in (difference, gained, lost, n_items))
    kept = 1.0 - BETS
    wealth = down * np.log(kept) + (n - up - down) * np.log(kept + BETS / (1.0 + d))
    wealth = wealth + up * np.log(kept + 2.0 * BETS / (1.0 + d))
    return np.asarray(logsumexp(wealth, axis=-1) - np.log(BETS.size))


def betting_interval(gained: ArrayLike, lost: ArrayLike, n_items: ArrayLike, level: ArrayLike) -> tuple[Floats, Floats]:
    """The confidence sequence of the difference: it holds the truth at all numbers of items, but for `level`.

    All differences against which neither side's wealth has reached 2/`level`; shapes broadcast.
    """
    up, down, n, a = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (gained, lost, n_items, level)))
    return _lower(up, down, n, a / 2.0), np.asarray(-_lower(down, up, n, a / 2.0))


def _lower(gained: Floats, lost: Floats, n_items: Floats, level: Floats) -> Floats:
    """The largest difference that is excluded from below, by bisection between −1 and the observed one."""
    outside, inside = np.full(gained.shape, -1.0), (gained - lost) / n_items
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2.0
        excluded = log_wealth(middle, gained, lost, n_items) >= -np.log(level)
        outside, inside = np.where(excluded, middle, outside), np.where(excluded, inside, middle)
    return outside
