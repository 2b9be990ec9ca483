"""Ratings of three or more models from pairwise preferences, by the Bradley–Terry model (`bradley_terry`).

    P(i is preferred to j) = 1 / (1 + 10^((R_j − R_i)/400)),    R = 0 for the baseline

so a rating of 100 means a win rate of 64 % against the baseline, as on Elo's scale (ratings of chat models from judged
pairs: Zheng et al., arXiv 2306.05685).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.conversation.bradley_terry import PRIOR_TIES, fit
from mplus_eval.conversation.rating_intervals import LogOdds, jackknife, jackknife_ends
from mplus_eval.conversation.win_rate import win_interval
from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats

if TYPE_CHECKING:
    import pandas as pd

POINTS = float(400.0 / np.log(10.0))
"""Rating points of one unit of log-odds."""


@dataclass(frozen=True)
class Rating:
    """One model's rating in points above the baseline.

    Attributes:
        value: None where no chain of judged pairs leads to the baseline.
        ci: an end is infinite where the data set no bound, as above a model that wins every pair.
        n_pairs: judged pairs that the model is in.
    """

    model: str
    value: float | None
    ci: Interval | None
    n_pairs: int


@dataclass(frozen=True)
class RatingDifference:
    """How far one model's rating lies above another's, in points; an end is infinite where the data set no bound."""

    model: str
    against: str
    value: float
    ci: Interval


@dataclass(frozen=True)
class Ratings:
    """The ratings of all models, best first, and of each two of them but the baseline how far they lie apart.

    Models that cannot be rated come last, and in no difference. A difference is that of the better from the worse.
    """

    models: tuple[Rating, ...]
    differences: tuple[RatingDifference, ...]


@dataclass(frozen=True, eq=False)
class PreferencePairs:
    """Judged pairs: `preference` is the first model's view, NaN where unjudged; all of shape (pairs,).

    `clusters` are dialogues, `strata` their categories (None: all of one).
    """

    first: Sequence[str]
    second: Sequence[str]
    preference: ArrayLike
    clusters: ArrayLike
    strata: ArrayLike | None = None

    @classmethod
    def of(cls, judgements: pd.DataFrame, baseline: str) -> Self:
        """The pairs of a table of judgements, in which every model met the baseline."""
        models, dialogues = (judgements[name].astype(str).tolist() for name in ("model", "item_id"))
        categories = judgements["category"].astype(str).to_numpy()
        return cls(
            models, [baseline] * len(models), judgements["preference"].to_numpy(dtype=float), dialogues, categories
        )


def ratings(pairs: PreferencePairs, baseline: str, *, level: float = 0.05, prior_ties: float = PRIOR_TIES) -> Ratings:
    """Rate all models that stand in the pairs.

    Args:
        pairs: the judged pairs.
        baseline: the model whose rating is 0.
        level: intervals have confidence 1 − `level`.
        prior_ties: ties that are added for each two models that met.

    Raises:
        ValueError: the baseline is in no pair.
    """
    from scipy.sparse.csgraph import connected_components

    models = {*pairs.first, *pairs.second}
    if baseline not in models:
        raise ValueError(f"baseline {baseline!r} is in none of the pairs")
    names = [baseline, *sorted(models - {baseline})]
    by_cluster = _wins_by_cluster(pairs, names)
    wins = by_cluster.sum(axis=0)
    n_pairs = [round(count) for count in (wins + wins.T).sum(axis=1)]
    # Only models that some chain of pairs links to the baseline, the first, can be rated against it.
    component = connected_components(wins > 0, connection="weak")[1]
    linked = np.flatnonzero(component == component[0])
    rated = _estimate(pairs, [names[index] for index in linked], by_cluster[:, linked][:, :, linked], prior_ties, level)
    order = sorted(range(linked.size), key=lambda place: -rated.values[place])
    of_models = [
        Rating(
            names[linked[place]],
            POINTS * float(rated.values[place]),
            _points(rated.low[place], rated.high[place]),
            n_pairs[linked[place]],
        )
        for place in order
    ]
    unrated = [Rating(name, None, None, n_pairs[i]) for i, name in enumerate(names) if i not in linked]
    apart = [
        RatingDifference(names[linked[i]], names[linked[j]], POINTS * difference, _points(*ci))
        for i, j in combinations((place for place in order if place), 2)
        for difference, ci in [rated.difference(i, j)]
    ]
    return Ratings((*of_models, *unrated), tuple(apart))


def _estimate(
    pairs: PreferencePairs, names: Sequence[str], by_cluster: Floats, prior_ties: float, level: float
) -> LogOdds:
    """Log-odds of linked models by their names, the baseline's first, and their intervals."""
    wins = by_cluster.sum(axis=0)
    values, covariance = fit(wins, prior_ties), jackknife(by_cluster, prior_ties)
    met_others = bool(np.any(wins[1:, 1:] > 0))
    low, high = (
        jackknife_ends(by_cluster, values, covariance, prior_ties, level)
        if met_others
        else _win_rate_ends(pairs, names, level)
    )
    # Where strata leave nothing to chance, the half a win of the prior may lie beyond the win rate's interval.
    return LogOdds(values, np.minimum(low, values), np.maximum(high, values), covariance)


def _win_rate_ends(pairs: PreferencePairs, names: Sequence[str], level: float) -> tuple[Floats, Floats]:
    """Log-odds of the ends of every model's win rate against the baseline; 0 for the baseline, the first."""
    from scipy.special import logit

    preference, baseline = np.asarray(pairs.preference, dtype=float), names[0]
    first, second, clusters = (np.asarray(each) for each in (pairs.first, pairs.second, pairs.clusters))
    strata = np.zeros(preference.size, dtype=int) if pairs.strata is None else np.asarray(pairs.strata)
    rates: list[tuple[ArrayLike, ArrayLike]] = [(0.5, 0.5)]
    for name in names[1:]:
        of_model = ~np.isnan(preference) & ((first == name) | (second == name))
        sign = np.where(second[of_model] == baseline, 1.0, -1.0)
        design = Design.of(strata[of_model], clusters[of_model])
        rates.append(win_interval(sign * (2.0 * preference[of_model] - 1.0), design, level))
    low, high = logit(np.clip(np.array(rates, dtype=float), 0.0, 1.0)).T
    return low, high


def _wins_by_cluster(pairs: PreferencePairs, names: Sequence[str]) -> Floats:
    """Shape (clusters, models, models): how often the row's model was preferred, ties half each."""
    preference = np.asarray(pairs.preference, dtype=float)
    judged = ~np.isnan(preference)
    number = {name: index for index, name in enumerate(names)}
    first, second = (np.array([number[name] for name in side])[judged] for side in (pairs.first, pairs.second))
    cluster = np.unique(np.asarray(pairs.clusters)[judged], return_inverse=True)[1]
    wins = np.zeros((int(cluster.max(initial=-1)) + 1, len(names), len(names)))
    np.add.at(wins, (cluster, first, second), preference[judged])
    np.add.at(wins, (cluster, second, first), 1.0 - preference[judged])
    return wins


def _points(low: float, high: float) -> Interval:
    return POINTS * float(low), POINTS * float(high)
