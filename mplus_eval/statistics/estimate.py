"""A mean of bounded values over items, with what is known of its precision.

Intervals for independent 0/1 draws (Wilson's, Tango's) are carried over to strata, clusters and graded scores by an
effective number of draws: items over the design effect, as survey statistics does it (Kish 1965, Korn & Graubard 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Design, Floats, satterthwaite

ICC = 0.3
"""How alike items of a cluster are taken to be until enough of them were seen to differ (intraclass correlation)."""

SPARSE_INFLATION = 0.5
"""Sets by how much the variance grows where few items carry information, because counts are whole numbers: at most by
an eighth, where it is one. Chosen with `benchmarks/coverage.py`."""
CLUSTER_INFLATION = 1.5
"""The same, added in the measure 1 − 1/F of clusters, of which a few may carry most of what differs."""


@dataclass(frozen=True)
class Estimate:
    """A mean of values in [−1, 1]; every field is an array of one shape, () for a single sample.

    Attributes:
        up: mean of the positive parts.
        down: mean of the negative parts.
        items: number of items; for an average over tasks, the number of independent draws that vary as much.
        effect: the design effect: variance over that of independent draws of −1, 0 and 1 with the same `up` and `down`.
        least_effect: the same where a loss is to be excluded: no less than that of clusters as alike as is supposed, or
            of many clusters no less than the upper bound of the one observed.
        df: degrees of freedom of the variance; 0 where nothing is known of it.
        informative: number of clusters that carry information, in equal terms.
        unseen: how probable it is that a sample like this did not meet the clusters whose items differ together.
        clustering: 1 − 1/F with F the design effect of clusters all alike; 0 where items stand alone.
    """

    up: Floats
    down: Floats
    items: Floats
    effect: Floats
    least_effect: Floats
    df: Floats
    informative: Floats
    unseen: Floats
    clustering: Floats

    @property
    def value(self) -> Floats:
        """The mean."""
        return self.up - self.down

    @property
    def effective_size(self) -> Floats:
        """How many independent draws the items are worth; positive also where nothing varies."""
        return np.asarray(self.items / (self.effect * self._sparse))

    @property
    def cautious_size(self) -> Floats:
        """The same to exclude a loss with, which clusters may hide (`least_effect`)."""
        return np.asarray(self.items / (self.least_effect * self._sparse))

    @property
    def _sparse(self) -> Floats:
        """By how much the variance grows where few clusters carry information."""
        inflation = SPARSE_INFLATION + CLUSTER_INFLATION * self.clustering
        return np.asarray(1.0 + inflation * self.informative / (self.informative + 1.0) ** 2)


FEW_CLUSTERS = 400
"""Below so many, a loss of 2 points by clusters as alike as is supposed may leave none that shows it: one is met in
97.5 % of samples from 3.69 / (0.02 · √0.3) = 337 clusters on."""
_BOUND = 1.645
"""Of an observed design effect, standard errors to its upper bound."""

SomeEstimate = TypeVar("SomeEstimate", bound=Estimate)


def estimate(
    values: ArrayLike,
    design: Design,
    *,
    icc: float = ICC,
    carriers: ArrayLike | None = None,
    kind: type[SomeEstimate] = Estimate,  # type: ignore[assignment]
) -> SomeEstimate:
    """Estimate the mean of item values in [−1, 1].

    The design effect r that was observed says little where few items differ: losses of whole clusters may not have been
    met. So it is drawn up to an anchor A, the effect of clusters whose items have the correlation `icc`:

        effect = r + exp(−K) · max(A − r, 0),   A = 1 + icc · (F − 1),   K = 2c / (F + A)

    with F Kish's effect of clusters all alike, and c how many items carry information, in terms of the largest. K is in
    how many clusters they would lie if items were between as alike as is supposed and all alike; a sample would miss
    every one of so many with probability exp(−K).

    Args:
        values: shape (..., items).
        design: strata and clusters of the items.
        icc: correlation of a cluster's items at the anchor; 1 asks for no assumption on how alike they are.
        carriers: shape (..., items), how much information each item carries; the values' size when None.
        kind: the class of estimate.
    """
    x = np.asarray(values, dtype=float)
    up, down = design.mean(np.maximum(x, 0.0)), design.mean(np.maximum(-x, 0.0))
    weights = np.abs(x) if carriers is None else np.asarray(carriers, dtype=float)
    largest = weights.max(axis=-1, initial=0.0)
    count = np.divide(weights.sum(axis=-1), largest, out=np.zeros_like(up), where=largest > 0)
    variance, independent = design.variance(x), spread(up, down) / max(design.n_items - 1, 1)
    known = (variance.df > 0) & (independent > 0)
    observed = np.divide(variance.value, independent, out=np.zeros_like(up), where=known)
    full = design.full_effect
    anchor = 1.0 + icc * (full - 1.0)
    unseen = np.exp(-2.0 * count / (full + anchor))
    drawn = observed + unseen * np.maximum(anchor - observed, 0.0)
    # Strata without inner variance know a mean to about one item's worth, not exactly.
    effect = np.where(variance.df > 0, np.maximum(drawn, 1.0 / design.n_items), full)
    return kind(
        up=up,
        down=down,
        items=np.full_like(up, design.n_items),
        effect=effect,
        least_effect=_least(effect, observed * (1.0 + _BOUND * variance.error), anchor, design),
        df=variance.df,
        informative=effective_count(design.totals(x if carriers is None else weights)),
        unseen=unseen,
        clustering=np.full_like(up, 1.0 - 1.0 / full),
    )


def _least(effect: Floats, bound: Floats, anchor: float, design: Design) -> Floats:
    """The design effect to exclude a loss with, from the one of the interval and the bound of the one observed.

    Few items that differ one by one may hide clusters that are lost whole. Of few clusters none of these need have been
    met, and the anchor is the least; of many, some were, and tell by how unequally clusters add to the variance.
    """
    if design.full_effect <= 1.0:
        return effect  # the anchor is 1 then, and graded items may well be worth more than one each
    least = anchor if design.n_clusters < FEW_CLUSTERS else np.minimum(bound, anchor)
    return np.asarray(np.maximum(effect, least))


def together(parts: Sequence[SomeEstimate]) -> SomeEstimate:
    """Estimates of one shape as a single one of shape (..., parts)."""
    kind = type(parts[0])
    return kind(*(np.stack([getattr(part, each.name) for part in parts], axis=-1) for each in fields(kind)))


def average(parts: Sequence[SomeEstimate]) -> SomeEstimate:
    """The plain average of independent estimates, such as a macro-average over tasks.

    Its variance is the sum of the parts' own, each at its anchored design effect, in closed form. Where differing
    clusters of a part may not have been met (`unseen`), it is given in that measure the spread of the parts on average.
    """
    k, each = len(parts), together(parts)
    own = spread(each.up, each.down)
    missing = np.maximum(own.mean(axis=-1)[..., None] - own, 0.0)
    supposed = own + each.unseen * np.maximum(1.0 - 1.0 / each.effect, 0.0) * missing
    draws = each.items / each.effect
    variances, df = supposed / draws, each.df
    mean_up, mean_down = each.up.mean(axis=-1), each.down.mean(axis=-1)
    total = variances.sum(axis=-1) / k**2
    weights = np.divide(
        variances, total[..., None] * k**2, out=np.full_like(variances, 1.0 / k), where=total[..., None] > 0
    )
    untouched = k**2 / np.sum(1.0 / draws, axis=-1)
    df_known = np.all(df > 0, axis=-1)
    return type(parts[0])(
        up=mean_up,
        down=mean_down,
        items=np.divide(spread(mean_up, mean_down), total, out=np.array(untouched), where=total > 0),
        effect=np.ones_like(mean_up),
        least_effect=np.sum(weights * each.least_effect / each.effect, axis=-1),
        df=np.where(df_known, satterthwaite(np.where(df_known[..., None], variances, 0.0), np.maximum(df, 1e-9)), 0.0),
        informative=_pooled_count(each.informative, own / draws),
        unseen=each.unseen.prod(axis=-1),
        clustering=np.sum(weights * each.clustering, axis=-1),
    )


def effective_count(terms: ArrayLike) -> Floats:
    """How many equal terms the terms are worth, (Σ|x|)² / Σx² over the last axis; 0 where all are 0 (Kish 1965)."""
    sizes = np.abs(np.asarray(terms, dtype=float))
    squares = np.sum(sizes**2, axis=-1)
    return np.asarray(np.divide(sizes.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0))


def spread(up: Floats, down: Floats) -> Floats:
    """Variance of one draw from −1, 0 and 1."""
    return np.asarray(np.maximum(up + down - (up - down) ** 2, 0.0))


def student_quantile(probability: float, df: ArrayLike) -> Floats:
    """Student's t quantile; the normal one where `df` is 0, which callers set aside."""
    from scipy.special import ndtri, stdtrit

    df_known = np.asarray(df, dtype=float) > 0
    return np.where(df_known, stdtrit(np.where(df_known, df, 1.0), probability), ndtri(probability))


def _pooled_count(counts: Floats, variances: Floats) -> Floats:
    """Informative clusters of an average: each task's in the measure in which it contributes to the variance."""
    total = variances.sum(axis=-1)
    share = np.divide(variances**2, counts, out=np.zeros_like(counts), where=counts > 0).sum(axis=-1)
    return np.asarray(np.divide(total**2, share, out=np.zeros_like(total), where=share > 0))
