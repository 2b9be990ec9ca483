"""Whether probabilities mean what they say: Brier score, reliability by bins, expected calibration error.

score    items   mean score   share      of all items that score 0.2 to 0.3, with 0.25 on average,
0.2-0.3     84        0.251   0.262      26 % are positive
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.scores import mean_score

N_BINS = 10


@dataclass(frozen=True)
class Bin:
    """Items whose scores lie from `low` to below `high`; the last bin holds 1."""

    low: float
    high: float
    n_items: int
    mean_score: float
    share: float
    """Of its items, how many are positive."""
    ci: Interval


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are from shares.

    Attributes:
        brier: mean of (score − outcome)², with its interval.
        reference: the same of whoever says the share of positive items of every item.
        error: the expected calibration error: mean over items of |share − mean score| of the item's bin.
        by_chance: about what that would be on as many items if every score were exactly the probability.
        bins: those that hold an item.
    """

    brier: float
    brier_ci: Interval
    reference: float
    error: float
    by_chance: float
    bins: tuple[Bin, ...]


def calibration(
    scores: ArrayLike, positive: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.05
) -> Calibration:
    """Measure probabilities against what came of them.

    Args:
        scores: shape (items,), probabilities; one at least.
        positive: shape (items,), whether each item is.
        clusters: shape (items,), what items stand or fall together; None where each stands alone.
        level: intervals have confidence 1 − `level`.
    """
    values, outcomes = np.asarray(scores, dtype=float), np.asarray(positive, dtype=float)
    alike = np.arange(values.size) if clusters is None else np.asarray(clusters)
    square = mean_score((values - outcomes) ** 2, Design.of(np.zeros(values.size), alike))
    low, high = square.interval(level)
    places = np.minimum((values * N_BINS).astype(int), N_BINS - 1)
    bins, by_chance = [], 0.0
    for place in np.unique(places):
        inside = places == place
        share = mean_score(outcomes[inside], Design.of(np.zeros(inside.sum()), alike[inside]))
        ends = share.interval(level)
        bins.append(
            Bin(
                low=place / N_BINS,
                high=(place + 1) / N_BINS,
                n_items=int(inside.sum()),
                mean_score=float(values[inside].mean()),
                share=float(share.value),
                ci=(float(ends[0]), float(ends[1])),
            )
        )
        # The mean size of a normal error is √(2/π) of its deviation, which is that of a sum of independent draws.
        by_chance += float(np.sqrt(2.0 / np.pi * np.sum(values[inside] * (1.0 - values[inside])))) / values.size
    return Calibration(
        brier=float(square.value),
        brier_ci=(float(low), float(high)),
        reference=float(outcomes.mean() * (1.0 - outcomes.mean())),
        error=sum(each.n_items * abs(each.share - each.mean_score) for each in bins) / values.size,
        by_chance=by_chance,
        bins=tuple(bins),
    )
