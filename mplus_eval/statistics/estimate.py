"""A mean of bounded values over items, with what is known of its precision.

Intervals for independent 0/1 draws (Wilson's, Tango's) are carried over to strata, clusters and graded scores by an
effective number of draws: items over the design effect, as survey statistics does it (Kish 1965, Korn & Graubard 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Design, Floats, satterthwaite

SPARSE_INFLATION = 0.5
"""Sets by how much the variance grows where few clusters carry information, because counts are whole numbers: at most
by an eighth, where it is one cluster. Chosen with `benchmarks/coverage.py`."""


@dataclass(frozen=True)
class Estimate:
    """A mean of values in [−1, 1]; every field is an array of one shape, () for a single sample.

    Attributes:
        up: mean of the positive parts.
        down: mean of the negative parts.
        items: number of items; for an average over tasks, the number of independent draws that vary as much.
        variance: of the mean, stratified and clustered.
        independent: the variance that independent draws of −1, 0 and 1 with the same `up` and `down` would have.
        df: degrees of freedom of `variance`; 0 where nothing is known of it.
        rare: share of the items that carry information: those that differ, or the rarer of right and wrong.
        informative: number of clusters that carry information, in equal terms.
        full_effect: the design effect if the items of a cluster were all alike.
    """

    up: Floats
    down: Floats
    items: Floats
    variance: Floats
    independent: Floats
    df: Floats
    rare: Floats
    informative: Floats
    full_effect: Floats

    @property
    def value(self) -> Floats:
        """The mean."""
        return self.up - self.down

    @property
    def effective_size(self) -> Floats:
        """How many independent draws the items are worth; positive also where nothing varies.

        The design effect is the variance over that of independent draws. Were the items of a cluster all alike, a
        sample with as many informative items would miss every such cluster with probability exp(−items · rare /
        full effect) and look certain; with that weight the effect is drawn towards the one of clusters all alike.
        """
        ratio = np.divide(self.variance, self.independent, out=np.zeros_like(self.up), where=self.independent > 0)
        ratio = np.where(self.df > 0, ratio, self.full_effect)
        unseen = np.exp(-self.items * self.rare / self.full_effect)
        # Strata without inner variance know a mean to about one item's worth, not exactly.
        effect = np.maximum(ratio + unseen * (self.full_effect - ratio), 1.0 / self.items)
        sparse = 1.0 + SPARSE_INFLATION * self.informative / (self.informative + 1.0) ** 2
        return np.asarray(self.items / (effect * sparse))


SomeEstimate = TypeVar("SomeEstimate", bound=Estimate)


def estimate(values: ArrayLike, design: Design) -> Estimate:
    """Estimate the mean of item values in [−1, 1].

    Args:
        values: shape (..., items).
        design: strata and clusters of the items.
    """
    x = np.asarray(values, dtype=float)
    n = design.n_items
    up, down = np.maximum(x, 0.0).mean(axis=-1), np.maximum(-x, 0.0).mean(axis=-1)
    variance = design.variance(x)
    informative = effective_count(design.totals(x))
    return Estimate(
        up=up,
        down=down,
        items=np.full_like(up, n),
        variance=variance.value,
        independent=_spread(up, down) / max(n - 1, 1),
        df=variance.df,
        rare=up + down,
        informative=informative,
        full_effect=np.full_like(up, design.full_effect),
    )


def average(parts: Sequence[SomeEstimate]) -> SomeEstimate:
    """The plain average of independent estimates, such as a macro-average over tasks."""
    k = len(parts)

    def stacked(name: str) -> Floats:
        return np.stack([getattr(part, name) for part in parts], axis=-1)

    up, down, items = stacked("up"), stacked("down"), stacked("items")
    variances, df = stacked("variance") / k**2, stacked("df")
    spread = np.sum(_spread(up, down) / items, axis=-1) / k**2
    untouched = k**2 / np.sum(1.0 / items, axis=-1)
    mean_up, mean_down = up.mean(axis=-1), down.mean(axis=-1)
    df_known = np.all(df > 0, axis=-1)
    return type(parts[0])(
        up=mean_up,
        down=mean_down,
        items=np.divide(_spread(mean_up, mean_down), spread, out=np.array(untouched), where=spread > 0),
        variance=variances.sum(axis=-1),
        independent=stacked("independent").sum(axis=-1) / k**2,
        df=np.where(df_known, satterthwaite(np.where(df_known[..., None], variances, 0.0), np.maximum(df, 1e-9)), 0.0),
        rare=stacked("rare").mean(axis=-1),
        informative=_pooled_count(stacked("informative"), _spread(up, down) / items),
        full_effect=np.sum(stacked("full_effect") / items, axis=-1) / np.sum(1.0 / items, axis=-1),
    )


def effective_count(terms: ArrayLike) -> Floats:
    """How many equal terms the terms are worth, (Σ|x|)² / Σx² over the last axis; 0 where all are 0 (Kish 1965)."""
    sizes = np.abs(np.asarray(terms, dtype=float))
    squares = np.sum(sizes**2, axis=-1)
    return np.asarray(np.divide(sizes.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0))


def student_quantile(probability: float, df: ArrayLike) -> Floats:
    """Student's t quantile; the normal one where `df` is 0, which callers set aside."""
    from scipy.stats import norm, t

    df_known = np.asarray(df, dtype=float) > 0
    return np.where(df_known, t.ppf(probability, np.where(df_known, df, 1.0)), norm.ppf(probability))


def _spread(up: Floats, down: Floats) -> Floats:
    """Variance of one draw from −1, 0 and 1."""
    return np.asarray(np.maximum(up + down - (up - down) ** 2, 0.0))


def _pooled_count(counts: Floats, variances: Floats) -> Floats:
    """Informative clusters of an average: each task's in the measure in which it contributes to the variance."""
    total = variances.sum(axis=-1)
    share = np.divide(variances**2, counts, out=np.zeros_like(counts), where=counts > 0).sum(axis=-1)
    return np.asarray(np.divide(total**2, share, out=np.zeros_like(total), where=share > 0))
