"""The paired difference of two models over the same items, with an interval that is honest where little differs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import ICC, Estimate, estimate, student_quantile
from mplus_eval.statistics.score_interval import score_interval


@dataclass(frozen=True)
class PairedDifference(Estimate):
    """The mean of item differences: `up` is the mean rise (of 0/1 scores: how many rose), `down` the mean fall."""

    def interval(self, level: float = 0.05, *, cautious: bool = False) -> tuple[Floats, Floats]:
        """The two-sided interval of confidence 1 − `level`; everything possible where the variance is unknown.

        Tango's score interval at the effective number of pairs, with Student's quantile for the normal one.

        Args:
            level: one less the confidence.
            cautious: whether clusters are never taken for less alike than is supposed; `preserved` asks for that.
        """
        critical = student_quantile(1.0 - level / 2.0, self.df)
        size = self.cautious_size if cautious else self.effective_size
        low, high = score_interval(self.up, self.down, size, critical)
        return np.where(self.df > 0, low, -1.0), np.where(self.df > 0, high, 1.0)


def paired_difference(
    differences: ArrayLike, design: Design, *, icc: float = ICC, carriers: ArrayLike | None = None
) -> PairedDifference:
    """Estimate the mean of item differences in [−1, 1].

    Args:
        differences: shape (..., items).
        design: strata and clusters of the items.
        icc: correlation of a cluster's items that is supposed where few items differ (`estimate`).
        carriers: how much information each item carries, where that is not the size of its difference.
    """
    return estimate(differences, design, icc=icc, carriers=carriers, kind=PairedDifference)
