"""Bradley–Terry ratings of three or more models from pairwise preferences.

    P(i is preferred to j) = 1 / (1 + 10^((R_j − R_i)/400)),    R = 0 for the baseline

so a rating of 100 means a win rate of 64 % against the baseline, as on Elo's scale. A tie is half a win for either side
(Bradley & Terry 1952; ratings of chat models from judged pairs: Zheng et al., arXiv 2306.05685).

A model that wins all its pairs has no finite rating by likelihood alone. Each two models that met therefore get one tie
more, half a win either way, which moves the others by about one part in their number of pairs; a model that the data
alone would place infinitely far from the baseline is marked `unbounded` and its interval is open on that side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.estimate import student_quantile

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 9_999
POINTS = float(400.0 / np.log(10.0))
"""Rating points of one unit of log-odds."""

PRIOR_TIES = 1.0
_STEPS = 50
_LARGEST_STEP = 2.0


@dataclass(frozen=True)
class Rating:
    """One model's rating in points above the baseline.

    Attributes:
        value: None where no chain of judged pairs leads to the baseline.
        ci: by the bootstrap over dialogues; an end is infinite where the data set no bound.
        n_pairs: judged pairs that the model is in.
        unbounded: whether an end is infinite, as when a model wins every pair.
    """

    model: str
    value: float | None
    ci: Interval | None
    n_pairs: int
    unbounded: bool = False


@dataclass(frozen=True, eq=False)
class PreferencePairs:
    """Judged pairs: `preference` is the first model's view, NaN where unjudged; all of shape (pairs,)."""

    first: Sequence[str]
    second: Sequence[str]
    preference: ArrayLike
    clusters: ArrayLike

    @classmethod
    def of(cls, judgements: pd.DataFrame, baseline: str) -> Self:
        """The pairs of a table of judgements, in which every model met the baseline."""
        models, dialogues = judgements["model"].astype(str).tolist(), judgements["item_id"].astype(str).tolist()
        return cls(models, [baseline] * len(models), judgements["preference"].to_numpy(dtype=float), dialogues)


def ratings(
    pairs: PreferencePairs,
    baseline: str,
    generator: np.random.Generator,
    *,
    level: float = 0.05,
    n_resamples: int = N_RESAMPLES,
    prior_ties: float = PRIOR_TIES,
) -> tuple[Rating, ...]:
    """Rate all models that stand in the pairs, best first; those that cannot be rated come last.

    Args:
        pairs: the judged pairs.
        baseline: the model whose rating is 0.
        generator: of the bootstrap, which draws whole dialogues.
        level: intervals have confidence 1 − `level`.
        n_resamples: how often to resample.
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
    rated = []
    log_odds = _log_odds(by_cluster[:, linked][:, :, linked], prior_ties, generator, n_resamples, level)
    for index, value, low, high in zip(linked, *log_odds, strict=True):
        ends = float(low * POINTS), float(high * POINTS)
        unbounded = not np.all(np.isfinite(ends))
        rated.append(Rating(names[index], float(value * POINTS), ends, n_pairs[index], unbounded))
    rated.sort(key=lambda rating: rating.value or 0.0, reverse=True)
    others = [Rating(name, None, None, n_pairs[i]) for i, name in enumerate(names) if i not in linked]
    return (*rated, *others)


def fit(wins: Floats, prior_ties: float = PRIOR_TIES) -> Floats:
    """Log-odds of every model against the first, which has 0, by Newton's method.

    Args:
        wins: shape (..., models, models), how often the row's model was preferred to the column's; ties half each.
        prior_ties: ties that are added for each two models that met.

    Returns:
        Shape (..., models).
    """
    counts = wins + np.swapaxes(wins, -1, -2)
    won = wins + prior_ties / 2.0 * (counts > 0)
    met = won + np.swapaxes(won, -1, -2)
    strengths = np.zeros(wins.shape[:-1])
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(strengths[..., None, :] - strengths[..., :, None]))
        gradient = (won - met * chance).sum(axis=-1)[..., 1:]
        # Fisher's information of all strengths but the first; shape (..., models − 1, models − 1).
        weights = met * chance * (1.0 - chance)
        information = (weights.sum(axis=-1)[..., None] * np.eye(met.shape[-1]) - weights)[..., 1:, 1:]
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        strengths[..., 1:] += np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return strengths


def _log_odds(
    by_cluster: Floats,
    prior_ties: float,
    generator: np.random.Generator,
    n_resamples: int,
    level: float,
) -> tuple[Floats, Floats, Floats]:
    """Log-odds of linked models, shape (models,), and the ends of their intervals.

    All resamples agree on a model that wins every pair, so the near end of an unbounded one is found another way.
    """
    wins = by_cluster.sum(axis=0)
    values = fit(wins, prior_ties)
    low, high = _bootstrap(by_cluster, values, generator, n_resamples, prior_ties, level)
    above, below = _bounded(wins)
    for index in np.flatnonzero(above != below):
        near = _near_end(by_cluster, int(index), bool(below[index]), prior_ties, level)
        low[index], high[index] = (near, np.inf) if below[index] else (-np.inf, near)
    neither = ~(above | below)
    return values, np.where(neither, -np.inf, low), np.where(neither, np.inf, high)


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


def _bounded(wins: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the likelihood bounds each rating from above, and from below (after Ford 1957).

    From above, if a chain of wins leads from the first model to it: otherwise it may be moved up without end.
    """
    from scipy.sparse.csgraph import breadth_first_order

    models = np.arange(wins.shape[0])
    over, under = (breadth_first_order(graph > 0, 0, return_predecessors=False) for graph in (wins, wins.T))
    return np.isin(models, over), np.isin(models, under)


def _bootstrap(
    by_cluster: Floats,
    values: Floats,
    generator: np.random.Generator,
    n_resamples: int,
    prior_ties: float,
    level: float,
) -> tuple[Floats, Floats]:
    """Ends of the percentile intervals over resamples of whole clusters; infinite with one cluster.

    Deviations are stretched by √(G/(G−1)) for G clusters, without which few clusters look too certain (Rao & Wu 1988).
    """
    n_clusters = by_cluster.shape[0]
    if n_clusters < 2:
        unknown = np.where(np.arange(values.size) == 0, 0.0, np.inf)
        return -unknown, unknown
    counts = generator.multinomial(n_clusters, np.full(n_clusters, 1.0 / n_clusters), size=n_resamples).astype(float)
    # Two models whose pairs a resample happens to miss keep their prior ties, so that no rating is lost.
    wins = np.tensordot(counts, by_cluster, axes=1) + 1e-9 * (by_cluster.sum(axis=0) > 0)
    drawn = values + np.sqrt(n_clusters / (n_clusters - 1)) * (fit(wins, prior_ties) - values)
    low, high = np.quantile(drawn, [level / 2.0, 1.0 - level / 2.0], axis=0)
    return low, high
