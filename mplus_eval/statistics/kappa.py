"""How far two raters agree beyond chance: Cohen's kappa over any categories, with a clustered interval.

    κ = (p_o − p_e) / (1 − p_e)

with p_o the share of items of which both say the same and p_e that share if each rater kept its own shares of the
categories but gave them at random (Cohen 1960). The interval uses the influence of each item on κ, whose variance for
independent items is the one of Fleiss, Cohen & Everitt (1969), and takes items of a cluster together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats, Integers
from mplus_eval.statistics.estimate import student_quantile
from mplus_eval.statistics.scores import mean_score


@dataclass(frozen=True)
class Kappa:
    """Agreement of two raters; `value` and `ci` are None where both gave one category throughout."""

    value: float | None
    ci: Interval | None
    agreement: float
    """Share of items of which both say the same."""


def cohens_kappa(first: Integers, second: Integers, clusters: ArrayLike, level: float = 0.05) -> Kappa:
    """Agreement of two raters on the same items, of which there is one at least.

    Args:
        first: shape (items,), categories of the first rater, numbered from 0.
        second: the same of the second rater.
        clusters: shape (items,), what items stand or fall together.
        level: the interval has confidence 1 − `level`.
    """
    n_categories = int(max(first.max(), second.max())) + 1
    same = (first == second).astype(float)
    observed, n_items = float(same.mean()), int(same.size)
    by_first, by_second = (np.bincount(side, minlength=n_categories) / n_items for side in (first, second))
    expected = float(by_first @ by_second)
    if expected == 1.0:
        return Kappa(None, None, observed)
    kappa = (observed - expected) / (1.0 - expected)
    design = Design.of(np.zeros(n_items), clusters)
    ci = -1.0, 1.0
    variance = design.variance(_influence(same, by_second[first] + by_first[second], observed, expected))
    if observed == 1.0:
        # No disagreement shows no variance either: the doubt is Wilson's about the share that agree.
        low = (float(mean_score(same, design).interval(level)[0]) - expected) / (1.0 - expected)
        ci = max(low, -1.0), 1.0
    elif variance.df > 0:
        reach = float(student_quantile(1.0 - level / 2.0, variance.df) * np.sqrt(variance.value))
        ci = max(kappa - reach, -1.0), min(kappa + reach, 1.0)
    return Kappa(kappa, ci, observed)


def _influence(same: Floats, chance: Floats, observed: float, expected: float) -> Floats:
    """What each item adds to κ, less the mean; `chance` is the other rater's shares of each rater's category, added."""
    of_observed = (same - observed) * (1.0 - expected)
    of_expected = (1.0 - observed) * (chance - 2.0 * expected)
    return np.asarray((of_observed - of_expected) / (1.0 - expected) ** 2)
