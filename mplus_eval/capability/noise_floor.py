"""The noise floor: how many items flip when nothing changes but the batches, and which contrasts flip no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from scipy.stats import binomtest

from mplus_eval.records.comparison import FlipRate, NoiseFloor, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.statistics.flips import count_flips
from mplus_eval.statistics.pairing import PairedItems, ScoredItems


@dataclass(frozen=True)
class NoiseRerun:
    """The baseline asked once more: outcomes by task, why a task has none, and how the batches differed."""

    batch_size: str
    outcomes: Mapping[str, pd.DataFrame]
    causes: Mapping[str, str] = field(default_factory=dict)


def noise_floor(
    baseline: Mapping[str, ScoredItems | None], again: Mapping[str, ScoredItems], rerun: NoiseRerun, level: float
) -> NoiseFloor:
    """Count what flipped from the baseline to its rerun, by task and over all of them.

    Args:
        baseline: its scored items by task, of every task of the run; None where it has no result.
        again: the same of the rerun.
        rerun: what is said of it.
        level: of the intervals, such as 0.05 for 95 %.
    """
    rates, missing = {}, {}
    for task, before in baseline.items():
        pair = PairedItems.of(before, again[task]) if before is not None and task in again else None
        if pair is not None and len(pair):
            flips = count_flips(pair.before.scores, pair.after.scores, pair.before.answers, pair.after.answers)
            rates[task] = flip_rate(flips.lost + flips.gained, len(pair), level)
        else:
            missing[task] = rerun.causes.get(task, "no item was scored by both passes")
    whole = None
    if rates and not missing:
        n_flips, n_items = (sum(getattr(rate, part) for rate in rates.values()) for part in ("flips", "n_items"))
        whole = flip_rate(n_flips, n_items, level)
    return NoiseFloor(batch_size=rerun.batch_size, tasks=rates, suite=whole, missing=missing)


def flip_rate(flips: int, n_items: int, level: float) -> FlipRate:
    """A share of items with its exact interval (Clopper and Pearson 1934).

    >>> round(flip_rate(0, 30, 0.05).ci[1], 4)
    0.1157
    """
    ends = binomtest(flips, n_items).proportion_ci(1 - level, method="exact")
    return FlipRate(n_items=n_items, flips=flips, rate=flips / n_items, ci=(float(ends.low), float(ends.high)))


def is_above(flips: int, n_pairs: int, noise: FlipRate | None) -> bool | None:
    """Tell whether more flipped than the upper end of the noise floor; None without one."""
    return None if noise is None else flips > noise.ci[1] * n_pairs


def mark_above_noise(
    contrasts: Mapping[str, Contrast], summary: Summary, noise: NoiseFloor
) -> tuple[dict[str, Contrast], Summary]:
    """Say of one model's contrasts, by task, and of its summary whether they flip more than the noise floor.

    Of the summary nothing is said unless the model and the noise floor have every task.
    """
    marked = {
        task: each.model_copy(
            update={"above_noise": is_above(each.lost + each.gained, each.n_pairs, noise.tasks.get(task))}
        )
        for task, each in contrasts.items()
    }
    if contrasts.keys() != noise.tasks.keys():
        return marked, summary.model_copy(update={"above_noise": None})
    flips = sum(each.lost + each.gained for each in contrasts.values())
    n_pairs = sum(each.n_pairs for each in contrasts.values())
    return marked, summary.model_copy(update={"above_noise": is_above(flips, n_pairs, noise.suite)})
