"""Estimates as they were made before: the design effect drawn to that of clusters all alike, by the size of scores.

For comparison only. The suite's bootstrap is taken in the closed form that it was a simulation of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mplus_eval.statistics.design import Design, Floats, satterthwaite
from mplus_eval.statistics.estimate import SPARSE_INFLATION, effective_count, spread, student_quantile
from mplus_eval.statistics.score_interval import score_interval


@dataclass(frozen=True)
class Former:
    """What an estimate was made of; every field has the shape of the samples."""

    up: Floats
    down: Floats
    items: Floats
    variance: Floats
    independent: Floats
    df: Floats
    rare: Floats
    informative: Floats
    full_effect: Floats

    @classmethod
    def of(cls, differences: Floats, design: Design) -> Former:
        """Of item differences, shape (..., items)."""
        up, down = np.maximum(differences, 0.0).mean(axis=-1), np.maximum(-differences, 0.0).mean(axis=-1)
        variance = design.variance(differences)
        return cls(
            up,
            down,
            np.full_like(up, design.n_items),
            variance.value,
            spread(up, down) / max(design.n_items - 1, 1),
            variance.df,
            up + down,
            effective_count(design.totals(differences)),
            np.full_like(up, design.full_effect),
        )

    @classmethod
    def average(cls, parts: Sequence[Former]) -> Former:
        """The plain average over tasks, with rare and full effect averaged."""
        k = len(parts)
        up, down, items, variance, df = (
            np.stack([getattr(part, name) for part in parts], axis=-1)
            for name in ("up", "down", "items", "variance", "df")
        )
        counts, own = np.stack([part.informative for part in parts], axis=-1), spread(up, down) / items
        total, squares = own.sum(axis=-1), np.divide(own**2, counts, out=np.zeros_like(own), where=counts > 0)
        square = squares.sum(axis=-1)
        mean_up, mean_down = up.mean(axis=-1), down.mean(axis=-1)
        variances = variance / k**2
        untouched = k**2 / np.sum(1.0 / items, axis=-1)
        pooled = total / k**2
        return cls(
            mean_up,
            mean_down,
            np.divide(spread(mean_up, mean_down), pooled, out=np.array(untouched), where=pooled > 0),
            variances.sum(axis=-1),
            np.stack([part.independent for part in parts], axis=-1).sum(axis=-1) / k**2,
            satterthwaite(variances, np.maximum(df, 1e-9)),
            np.stack([part.rare for part in parts], axis=-1).mean(axis=-1),
            np.divide(total**2, square, out=np.zeros_like(total), where=square > 0),
            np.sum(np.stack([part.full_effect for part in parts], axis=-1) / items, axis=-1)
            / np.sum(1.0 / items, axis=-1),
        )

    @property
    def effective_size(self) -> Floats:
        """How many independent draws the items were taken to be worth."""
        ratio = np.divide(self.variance, self.independent, out=np.zeros_like(self.up), where=self.independent > 0)
        unseen = np.exp(-self.items * self.rare / self.full_effect)
        effect = np.maximum(ratio + unseen * (self.full_effect - ratio), 1.0 / self.items)
        return np.asarray(
            self.items / (effect * (1.0 + SPARSE_INFLATION * self.informative / (self.informative + 1.0) ** 2))
        )

    def interval(self, level: float = 0.05) -> tuple[Floats, Floats]:
        """Tango's score interval at that size."""
        return score_interval(self.up, self.down, self.effective_size, student_quantile(1.0 - level / 2.0, self.df))
