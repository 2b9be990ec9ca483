"""Intervals of Bradley–Terry log-odds, and of the difference of two of them.

Where every model met the first alone, its log-odds are those of (wins + ½) / (pairs + 1), so its interval is that of
the win rate carried through the log-odds; that of a win rate of 1 has no upper end. Where other pairs met too, the
jackknife over dialogues gives the intervals. It gives the covariance of any two models in both cases, for they answered
the same dialogues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mplus_eval.conversation.bradley_terry import bounded, fit
from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.estimate import student_quantile


@dataclass(frozen=True, eq=False)
class LogOdds:
    """Log-odds of linked models with the ends of their intervals, shape (models,); the first has 0, and no error.

    `covariance`, shape (models, models), is the jackknife's.
    """

    values: Floats
    low: Floats
    high: Floats
    covariance: Floats

    def difference(self, i: int, j: int) -> tuple[float, Interval]:
        """How far model i lies above model j, and the interval of that.

        Recovered from the two intervals and the correlation ρ of the two ratings, which comes from the dialogues that
        both answered (Zou & Donner 2008): with a the way from i to its near end and b the one from j to its far end,
        √(a² − 2ρab + b²). Where both intervals are the jackknife's, this is the jackknife of the difference.
        """
        difference = float(self.values[i] - self.values[j])
        spread = float(np.sqrt(self.covariance[i, i] * self.covariance[j, j]))
        correlation = float(np.clip(self.covariance[i, j] / spread, -1.0, 1.0)) if spread > 0.0 else 0.0
        down, up = self.values - self.low, self.high - self.values
        below, above = _recovered(down[i], up[j], correlation), _recovered(up[i], down[j], correlation)
        return difference, (difference - below, difference + above)


def _recovered(a: float, b: float, correlation: float) -> float:
    if not np.isfinite(a + b):
        return np.inf
    return float(np.sqrt(max(a**2 - 2.0 * correlation * a * b + b**2, 0.0)))


def jackknife(by_cluster: Floats, prior_ties: float) -> Floats:
    """Covariance of the log-odds, shape (models, models), by leaving out one dialogue after another.

    (G − 1)/G Σ (θ_−g − θ̄)(θ_−g − θ̄)ᵀ over G dialogues (Efron & Stein 1981); 0 where nothing varies.
    """
    n_clusters = max(by_cluster.shape[0], 1)
    wins = by_cluster.sum(axis=0)
    # Two models that met in one dialogue only keep their prior ties, so that no rating is lost.
    left = fit(np.maximum(wins - by_cluster, 0.0) + 1e-9 * (wins > 0), prior_ties)
    deviations = left - left.mean(axis=0) if len(left) else left
    return np.asarray((n_clusters - 1) / n_clusters * deviations.T @ deviations)


def jackknife_ends(
    by_cluster: Floats, values: Floats, covariance: Floats, prior_ties: float, level: float
) -> tuple[Floats, Floats]:
    """Ends of the jackknife's intervals, with Student's t for G − 1; infinite where the likelihood sets no bound."""
    n_clusters = by_cluster.shape[0]
    if n_clusters < 2:
        unknown = np.where(np.arange(values.size) == 0, 0.0, np.inf)
        return -unknown, unknown
    half = student_quantile(1.0 - level / 2.0, n_clusters - 1) * np.sqrt(np.diag(covariance))
    low, high = values - half, values + half
    above, below = bounded(by_cluster.sum(axis=0))
    for index in np.flatnonzero(above != below):
        near = _near_end(by_cluster, int(index), bool(below[index]), prior_ties, level)
        low[index], high[index] = (near, np.inf) if below[index] else (-np.inf, near)
    neither = ~(above | below)
    return np.where(neither, -np.inf, low), np.where(neither, np.inf, high)


def _near_end(by_cluster: Floats, index: int, unbeaten: bool, prior_ties: float, level: float) -> float:
    """The finite end of the interval of a model that won every pair (`unbeaten`), or lost every one.

    Its rating when c² pairs that went the other way, spread over the models it met, join pairs that count as if all of
    a dialogue were alike, with c Student's quantile. Against one model and without prior ties that is Wilson's end,
    N/(N + c²).
    """
    wins = by_cluster.sum(axis=0)
    met = by_cluster[:, index, :] + by_cluster[:, :, index]
    sizes = met.sum(axis=-1)
    scaled = wins / (np.sum(sizes**2) / sizes.sum())
    square = float(student_quantile(1.0 - level / 2.0, max(by_cluster.shape[0] - 1, 1))) ** 2
    against = square * met.sum(axis=0) / sizes.sum()
    if unbeaten:
        scaled[:, index] += against
    else:
        scaled[index, :] += against
    return float(fit(scaled, prior_ties)[index])
