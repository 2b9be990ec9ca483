"""Correlation of two scores of the same items, Pearson's and Spearman's, with clustered intervals.

The interval is symmetric on Fisher's scale, artanh ρ, with the variance from what each item adds to ρ (its influence),
items of a cluster taken together. Spearman's is Pearson's of ranks, where an item moves the others' ranks too; that is
part of its influence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats, Integers
from mplus_eval.statistics.estimate import student_quantile

Correlation = tuple[float, Interval]
_NOTHING = 1e-12


def pearson(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.05
) -> Correlation | None:
    """Pearson's correlation with its interval; None where one of the two is the same for all items.

    Args:
        first: shape (items,).
        second: shape (items,), of the same items.
        clusters: shape (items,), what items stand or fall together; None where each stands alone.
        level: the interval has confidence 1 − `level`.
    """
    x, y = (np.asarray(side, dtype=float) for side in (first, second))
    if not np.ptp(x) or not np.ptp(y):
        return None
    u, v = x - x.mean(), y - y.mean()
    return _with_interval(u * v, u * u, v * v, clusters, level)


def spearman(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.05
) -> Correlation | None:
    """Spearman's correlation of ranks, ties at their middle; arguments as those of `pearson`."""
    x, y = (np.unique(np.asarray(side, dtype=float), return_inverse=True)[1].reshape(-1) for side in (first, second))
    if not np.ptp(x) or not np.ptp(y):
        return None
    u, v = _ranks(x), _ranks(y)
    return _with_interval(
        u * v + _moved(x, v) + _moved(y, u), u * u + 2.0 * _moved(x, u), v * v + 2.0 * _moved(y, v), clusters, level
    )


def _with_interval(
    joint: Floats, of_first: Floats, of_second: Floats, clusters: ArrayLike | None, level: float
) -> Correlation:
    """Correlation from what each item has of the covariance and of both variances, as means; each shape (items,)."""
    design = Design.of(np.zeros(joint.size), clusters)
    covariance, first, second = joint.mean(), of_first.mean(), of_second.mean()
    value = float(np.clip(covariance / np.sqrt(first * second), -1.0, 1.0))
    of_variances = (of_first - first) / first + (of_second - second) / second
    variance = design.variance((joint - covariance) / np.sqrt(first * second) - value / 2.0 * of_variances)
    if variance.df == 0:
        return value, (-1.0, 1.0)
    room = 1.0 - value**2
    if room < _NOTHING:
        return value, (value, value)  # one is a function of the other, and no sample would show it otherwise
    reach = float(student_quantile(1.0 - level / 2.0, variance.df) * np.sqrt(variance.value)) / room
    centre = np.arctanh(value)
    return value, (float(np.tanh(centre - reach)), float(np.tanh(centre + reach)))


def _ranks(codes: Integers) -> Floats:
    """Of each item, the share of items below it, those that are equal counting half, less the mean."""
    counts = np.bincount(codes)
    return np.asarray((np.cumsum(counts) - counts / 2.0)[codes] / codes.size - 0.5)


def _moved(codes: Integers, other: Floats) -> Floats:
    """What each item adds to the covariance by raising the ranks of those above it, less the mean.

    Args:
        codes: shape (items,), the order of the ranks that are moved.
        other: shape (items,), what they are multiplied with, of mean 0.
    """
    sums = np.bincount(codes, weights=other)
    above = sums.sum() - np.cumsum(sums) + sums / 2.0
    added = above[codes] / codes.size
    return np.asarray(added - added.mean())
