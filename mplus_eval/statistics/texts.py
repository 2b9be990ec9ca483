"""Texts and their losses: a ratio measure, bits per byte or a perplexity, with what is known of its precision.

A text has a loss (minus its log-likelihood) and a weight (its bytes or words; 1 where each text counts once). Of a
subtask the value is the sum of losses over the sum of weights, or the exponential of that; of several subtasks it is
their average, by their items or plain (lm-eval's `bits_per_byte`, `weighted_perplexity` and `perplexity`, and its
groups).

All is estimated on the logarithm of the value. The variance is the jackknife's by whole cluster within the strata
(Cochran 1977, section 6.17): where texts differ much in length it covers what the linear approximation misses. Degrees
of freedom come from the effective number of texts, since long ones count for more (Kish 1965). Where few texts lose
much, samples without them look better and more certain than they are, so intervals are widened, never narrowed, by the
skewness of the texts (Hall 1992).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats, Integers, satterthwaite
from mplus_eval.statistics.estimate import effective_count, student_quantile


@dataclass(frozen=True)
class LogEstimate:
    """The logarithm of a value, or of a ratio of two.

    Attributes:
        value: the logarithm.
        error: its standard error.
        df: degrees of freedom of the error; 0 where nothing is known of it.
        skewness: third cumulant of the sampling distribution, over the cube of the error.
    """

    value: float
    error: float = np.inf
    df: float = 0.0
    skewness: float = 0.0

    def interval(self, level: float) -> Interval:
        """The two-sided interval of confidence 1 − `level`; everything where nothing is known."""
        if not self.df > 0:
            return -np.inf, np.inf
        critical = float(student_quantile(1.0 - level / 2.0, self.df))
        above, below = max(critical, self._unturned(critical)), max(critical, -self._unturned(-critical))
        return self.value - above * self.error, self.value + below * self.error

    def p_below(self, bound: float) -> float:
        """One-sided p-value against a true logarithm of `bound` or more: the interval turned round."""
        from scipy.stats import t

        if not self.df > 0:
            return 1.0
        if self.error == 0:
            return float(self.value >= bound)
        distance = (self.value - bound) / self.error
        return float(max(t.cdf(distance, self.df), t.cdf(self._turned(distance), self.df)))

    def negated(self) -> LogEstimate:
        """The same of the ratio turned round."""
        return LogEstimate(-self.value, self.error, self.df, -self.skewness)

    def _turned(self, distance: float) -> float:
        """A studentised distance with its skewness taken out, by Hall's monotone transformation (1992, equation 6)."""
        k = self.skewness
        return distance + k * distance**2 / 3.0 + k**2 * distance**3 / 27.0 + k / 6.0

    def _unturned(self, distance: float) -> float:
        """The distance whose transformation this is."""
        k = self.skewness
        if abs(k) < 1e-6:
            return distance - k / 6.0
        return float(3.0 / k * (np.cbrt(1.0 + k * (distance - k / 6.0)) - 1.0))


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of a task: what each weighs, which hang together, and how their losses become the task's value.

    Attributes:
        weights: shape (items,), what losses are spread over; 0 or more.
        subtasks: shape (items,), the number of each item's subtask.
        shares: shape (subtasks,), what each subtask's value counts for in the task's; sums to 1.
        design: strata and clusters.
        exponential: whether the value is the exponential of losses over weights, a perplexity.
    """

    weights: Floats
    subtasks: Integers
    shares: Floats
    design: Design
    exponential: bool

    @classmethod
    def of(
        cls,
        weights: ArrayLike,
        strata: ArrayLike,
        clusters: ArrayLike | None = None,
        *,
        exponential: bool,
        by_size: bool = True,
    ) -> Texts:
        """Describe the texts by labels.

        Args:
            weights: shape (items,).
            strata: each text's subtask.
            clusters: each text's cluster; None where every text stands alone.
            exponential: whether the value is a perplexity.
            by_size: whether subtasks count by their items in the task's value, rather than all alike.
        """
        names, subtasks = np.unique(np.asarray(strata), return_inverse=True)
        counts = np.bincount(subtasks) if by_size else np.ones(names.size)
        shares = np.asarray(counts / counts.sum(), dtype=float)
        own = np.asarray(weights, dtype=float)
        return cls(own, subtasks.reshape(-1), shares, Design.of(strata, clusters), exponential)

    def log_value(self, losses: ArrayLike) -> float:
        """The logarithm of the task's value; −∞ where nothing was lost."""
        rows = self._by_subtask(losses).sum(axis=-1), self._by_subtask(self.weights).sum(axis=-1)
        return float(self._log_value(*rows))

    def log_values_without(self, losses: ArrayLike) -> Floats:
        """The same without each cluster in turn, shape (clusters,); a subtask of that cluster alone goes with it."""
        totals, weights = self._by_subtask(losses), self._by_subtask(self.weights)
        left = [every.sum(axis=-1, keepdims=True) - every for every in (totals, weights)]
        # What is left of a sum after all of it was taken away is rounding.
        left[1] = np.where(left[1] < 1e-9 * weights.sum(axis=-1, keepdims=True), 0.0, left[1])
        return self._log_value(left[0].T, left[1].T)

    def contributions(self, before: Floats, after: Floats) -> Floats:
        """What each text adds to the logarithm of the ratio of two values, about their mean; shape (items,).

        Args:
            before: losses of the other model, shape (items,).
            after: losses of the model.
        """
        return (after - before) * self.slopes((before + after) / 2.0)

    def slopes(self, losses: ArrayLike) -> Floats:
        """By how much the logarithm of the value grows with each item's loss, shape (items,)."""
        totals, weights = (self._by_subtask(each).sum(axis=-1) for each in (losses, self.weights))
        inverse = np.divide(1.0, weights, out=np.zeros_like(weights), where=weights > 0)
        grown = self.shares * np.exp((totals * inverse if self.exponential else 0.0) - self.log_value(losses))
        return np.asarray((grown * inverse)[self.subtasks])

    def estimate(self, value: float, without: Floats) -> LogEstimate:
        """An estimate with its error by the jackknife; nothing is known of it where there is one cluster.

        Args:
            value: of all texts.
            without: shape (clusters,), the value without each cluster.
        """
        groups, deviations = self.design.clusters_of_strata, without - value
        if self.design.n_clusters < 2 or not np.all(np.isfinite(deviations)):
            return LogEstimate(value)
        parts = np.add.reduceat(deviations**2, self.design.first_cluster) * (groups - 1) / groups
        weights = np.split(self.design.totals(self.weights), self.design.first_cluster[1:])
        df = np.array([max(float(effective_count(each)) - 1.0, 1.0) for each in weights])
        squares = float(np.sum(deviations**2))
        skewness = -float(np.sum(deviations**3)) / squares**1.5 if squares > 0 else 0.0
        return LogEstimate(value, float(parts.sum()) ** 0.5, float(satterthwaite(parts, df)), skewness)

    def _by_subtask(self, values: ArrayLike) -> Floats:
        """Sums by subtask and cluster, shape (subtasks, clusters)."""
        is_own = np.arange(self.shares.size)[:, None] == self.subtasks
        return self.design.totals(is_own * np.asarray(values, dtype=float))

    def _log_value(self, totals: Floats, weights: Floats) -> Floats:
        """The logarithm of the value from sums by subtask, shape (..., subtasks); those without weight are left out."""
        is_there = weights > 0
        rates = np.divide(totals, weights, out=np.zeros_like(totals), where=is_there)
        shares = np.where(is_there, self.shares, 0.0)
        with np.errstate(invalid="ignore"):  # nothing is left where the only cluster is taken away
            shares = shares / shares.sum(axis=-1, keepdims=True)
        if not self.exponential:
            with np.errstate(divide="ignore"):
                return np.asarray(np.log(np.sum(shares * rates, axis=-1)))
        # The largest is set aside, so that the exponential of a hopeless model's loss does not overflow.
        largest = np.max(np.where(is_there, rates, -np.inf), axis=-1, keepdims=True)
        return np.asarray(np.log(np.sum(shares * np.exp(rates - largest), axis=-1)) + largest[..., 0])


@dataclass(frozen=True, eq=False)
class RatioScore:
    """One model's value: bits per byte, or a perplexity."""

    log: LogEstimate

    @property
    def value(self) -> float:
        """The value in its own unit, or `LARGEST_VALUE`, which stands for no bound."""
        return _exp(self.log.value)

    def interval(self, level: float) -> Interval:
        """The interval in the value's unit; from 0 to `LARGEST_VALUE` where nothing is known."""
        low, high = self.log.interval(level)
        return _exp(low), _exp(high)


LARGEST_VALUE = 1e300
"""The largest perplexity that is told: a comparison is stored as JSON, which has no infinite numbers."""


def _exp(logarithm: float) -> float:
    return float(np.exp(min(logarithm, np.log(LARGEST_VALUE))))


def ratio_score(losses: ArrayLike, texts: Texts) -> RatioScore:
    """Estimate a model's value from its losses, shape (items,)."""
    value = texts.log_value(losses)
    if not np.isfinite(value):
        return RatioScore(LogEstimate(value))
    return RatioScore(texts.estimate(value, texts.log_values_without(losses)))
