"""Robbins' mixture boundary: how far a statistic must lie from 0 when it is looked at again and again.

In place of the normal quantile z, with t the share of the planned information that is there and a the one-sided level,

    b(t) = √((1 + 1/ρt) · ln((ρt + 1)/(2a)²))

which a standardised sum crosses at any time with probability a at most, on each side (Robbins 1970; for means of items
of any distribution asymptotically: Waudby-Smith et al. 2021, arXiv 2103.06476, theorem 2.2). ρ sets where the boundary
is tightest, here at a quarter of the items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Floats

TIGHTEST = 0.25
"""The share of the items at which the boundary is lowest."""


def tuning(level: float) -> float:
    """ρ, for a boundary of this one-sided level that is lowest at `TIGHTEST` (arXiv 2103.06476, appendix B.2)."""
    spent = -2.0 * np.log(2.0 * level)
    return float((spent + np.log1p(spent)) / TIGHTEST)


def mixture_boundary(share: ArrayLike, level: ArrayLike, rho: float) -> Floats:
    """The boundary b of a one-sided level, in standard errors; shapes broadcast.

    Args:
        share: of the items, or of the information, in (0, 1].
        level: one-sided, below a half.
        rho: see `tuning`.
    """
    time = rho * np.asarray(share, dtype=float)
    return np.asarray(np.sqrt((1.0 + 1.0 / time) * np.log((time + 1.0) / (2.0 * np.asarray(level)) ** 2)))


def mixture_p_value(statistic: ArrayLike, share: ArrayLike, rho: float) -> Floats:
    """The smallest one-sided level at whose boundary the statistic lies; 1 where it is not above 0."""
    z, time = np.maximum(np.asarray(statistic, dtype=float), 0.0), rho * np.asarray(share, dtype=float)
    level = np.sqrt(time + 1.0) * np.exp(-(z**2) / 2.0 * time / (1.0 + time)) / 2.0
    return np.asarray(np.where(z > 0, np.minimum(level, 1.0), 1.0))
