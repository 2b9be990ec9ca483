"""How well a score tells positive items from negative ones: area under the ROC curve, and average precision.

The area is the chance that a positive item scores higher than a negative one, ties counting half. Its variance is that
of DeLong, DeLong & Clarke-Pearson (1988), from each item's share in it, with items of a cluster taken together
(Obuchowski 1997). The interval holds at 0 and 1, too: every area θ with (θ − Â)² ≤ t²·d·V(θ), where V is the variance
that an area θ has by its size and the numbers of items alone (Hanley & McNeil 1982, with the numbers exchanged as in
method 5 of Newcombe 2006), and d how many times that the variance found is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import student_quantile

_NEARLY = 1e-9


def area_under_curve(
    scores: ArrayLike, positive: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.05
) -> tuple[float, Interval] | None:
    """The area with its interval; None where there is no positive item, or no negative one.

    Args:
        scores: shape (items,).
        positive: shape (items,), whether each is.
        clusters: shape (items,), what items stand or fall together; None where each stands alone.
        level: the interval has confidence 1 − `level`.
    """
    values, is_positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if not n_positive or not n_negative:
        return None
    codes = np.unique(values, return_inverse=True)[1].reshape(-1)
    share = np.where(is_positive, _below(codes, ~is_positive), 1.0 - _below(codes, is_positive))
    area = float(share[is_positive].mean())
    influence = (share - area) * np.where(is_positive, values.size / n_positive, values.size / n_negative)
    design = Design.of(np.zeros(values.size), clusters)
    found = design.variance(influence)
    if found.df == 0:
        return area, (0.0, 1.0)
    usual = _usual_variance(n_positive, n_negative)
    # Where all are told apart nothing varies, and clusters are supposed to be all alike.
    effect = float(found.value) / usual(area) if 0.0 < area < 1.0 and found.value > 0 else design.full_effect
    square = float(student_quantile(1.0 - level / 2.0, found.df)) ** 2 * effect
    return area, _ends(area, lambda theta: (theta - area) ** 2 - square * usual(theta))


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """Precision at every score that is reached, weighted by the recall that it adds; None without a positive item."""
    values, is_positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if not is_positive.any():
        return None
    order = np.argsort(-values, kind="stable")
    last_of_ties = np.r_[values[order][1:] != values[order][:-1], True]
    found = np.cumsum(is_positive[order])[last_of_ties]
    precision = found / (np.flatnonzero(last_of_ties) + 1)
    return float(np.sum(np.diff(found, prepend=0) * precision) / is_positive.sum())


def _below(codes: NDArray[np.int64], others: NDArray[np.bool_]) -> Floats:
    """Of each item, the share of the others whose score is lower, those that are equal counting half."""
    counts = np.bincount(codes, weights=others)
    return np.asarray((np.cumsum(counts) - counts / 2.0)[codes] / others.sum())


def _usual_variance(n_positive: int, n_negative: int) -> Callable[[float], float]:
    """The variance of an area of a given size, with that many items of either kind."""
    further = (n_positive + n_negative) / 2.0 - 1.0

    def variance(theta: float) -> float:
        spread = theta * (1.0 - theta) * (1.0 + further * ((1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)))
        return spread / (n_positive * n_negative)

    return variance


def _ends(area: float, distance: Callable[[float], float]) -> Interval:
    """Where the distance from the area found is 0 below it and above it."""
    from scipy.optimize import brentq

    low = 0.0 if area == 0.0 else float(brentq(distance, 0.0, area - _NEARLY * (area == 1.0)))
    high = 1.0 if area == 1.0 else float(brentq(distance, area + _NEARLY * (area == 0.0), 1.0))
    return low, high
