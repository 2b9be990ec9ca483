"""The score test and interval of a paired difference: Nam (1997) and Tango (1998), for any effective sample size.

The variance is taken under the difference that is tested, not under the one observed, so it is not zero where nothing
was observed to differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Floats

_BISECTIONS = 50


def restricted_variance(difference: ArrayLike, up: ArrayLike, down: ArrayLike) -> Floats:
    """Variance of one pair when the true difference is `difference` and all else fits the data best.

    The maximum-likelihood estimate under that restriction of the probability `down`, Tango (1998) equation 8, with
    counts divided by their number.

    Args:
        difference: the true difference that is supposed, in [−1, 1].
        up: mean rise, for 0/1 scores the share of pairs that rose.
        down: mean fall, for 0/1 scores the share of pairs that fell.
    """
    d, u, w = (np.asarray(x, dtype=float) for x in (difference, up, down))
    linear = -u - w + (2.0 - u + w) * d
    constant = -w * d * (1.0 - d)
    fallen = (np.sqrt(np.maximum(linear**2 - 8.0 * constant, 0.0)) - linear) / 4.0
    return np.asarray(np.maximum(2.0 * fallen + d * (1.0 - d), 0.0))


def score_statistic(difference: ArrayLike, up: ArrayLike, down: ArrayLike, size: ArrayLike) -> Floats:
    """How many standard errors the observed difference lies above `difference`; 0 where both agree exactly."""
    observed = np.asarray(up, dtype=float) - np.asarray(down, dtype=float)
    distance = observed - np.asarray(difference, dtype=float)
    error = np.sqrt(restricted_variance(difference, up, down) / np.asarray(size, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / error)


def score_interval(up: ArrayLike, down: ArrayLike, size: ArrayLike, critical: ArrayLike) -> tuple[Floats, Floats]:
    """All differences whose score statistic lies within ±`critical`; shapes broadcast.

    Args:
        up: mean rise.
        down: mean fall.
        size: number of pairs, or what it is worth.
        critical: quantile of the standard normal or of Student's t.
    """
    u, w, n, c = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (up, down, size, critical)))
    low, high = _upper(np.stack([w, u]), np.stack([u, w]), n, c)
    return -low, high


def _upper(up: Floats, down: Floats, size: Floats, critical: Floats) -> Floats:
    """The largest difference not rejected, by bisection between the observed one and 1."""
    observed = up - down
    inside, outside = observed.copy(), np.ones_like(observed)
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2.0
        accepted = (middle - observed) ** 2 * size <= critical**2 * restricted_variance(middle, up, down)
        inside, outside = np.where(accepted, middle, inside), np.where(accepted, outside, middle)
    return outside
