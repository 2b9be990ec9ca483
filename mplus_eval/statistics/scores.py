"""One model's score: the plain mean over items, with Wilson's interval at the effective number of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import ICC, Estimate, estimate, student_quantile


@dataclass(frozen=True)
class MeanScore(Estimate):
    """The mean of scores in [0, 1]; `down` is 0."""

    def interval(self, level: float = 0.05) -> tuple[Floats, Floats]:
        """The two-sided interval of confidence 1 − `level`; [0, 1] where the variance is unknown (Wilson 1927)."""
        square = student_quantile(1.0 - level / 2.0, self.df) ** 2
        share = square / self.effective_size
        centre = (self.value + share / 2.0) / (1.0 + share)
        half = np.sqrt(np.maximum(self.value * (1.0 - self.value), 0.0) * share + share**2 / 4.0) / (1.0 + share)
        low, high = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
        return np.where(self.df > 0, low, 0.0), np.where(self.df > 0, high, 1.0)


def mean_score(scores: ArrayLike, design: Design, *, icc: float = ICC) -> MeanScore:
    """Estimate the mean of item scores in [0, 1].

    Args:
        scores: shape (..., items).
        design: strata and clusters of the items.
        icc: correlation of a cluster's items that is supposed where few are right, or few wrong (`estimate`).
    """
    values = np.asarray(scores, dtype=float)
    # What is rare carries the information: near 1 it is the failures that count.
    rare = np.where(design.mean(values)[..., None] > 0.5, 1.0 - values, values)
    return estimate(values, design, icc=icc, carriers=rare, kind=MeanScore)
