"""The binomial distribution of scipy.stats without what surrounds it.

A search for a power asks some thousand times for a few hundred probabilities. The public functions check, mask and copy
their arguments at every call, which takes longer than the numbers; these give the same numbers. Callers have whole k
and n, n from 0 on, and p in [0, 1].
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mplus_eval.statistics.design import Floats, Integers


def pmf(k: Integers, n: int | Integers, p: float) -> Floats:
    """The chance of k of n; k from 0 to n."""
    return np.asarray(_binom()._pmf(k, n, p))


def cdf(k: Integers, n: int | Integers, p: float) -> Floats:
    """The chance of k of n or fewer; k may lie outside 0 to n."""
    return np.where(k < 0, 0.0, np.where(k < n, _binom()._cdf(np.maximum(k, 0), n, p), 1.0))


def sf(k: Integers | Floats, n: int | Integers, p: float) -> Floats:
    """The chance of more than k of n; k may lie outside 0 to n."""
    return np.where(k < 0, 1.0, np.where(k < n, _binom()._sf(np.maximum(k, 0), n, p), 0.0))


def likely(n: int, p: float, tail: float) -> Integers:
    """The counts of n draws, rising, beyond which either side holds less than `tail` of the probability."""
    low, high = _binom()._ppf(tail, n, p), _binom()._isf(tail, n, p)
    return np.arange(max(int(low), 0), min(int(high) + 1, n) + 1)


@cache
def _binom() -> Any:
    from scipy.stats import binom

    return binom
