"""The noise floor: how many items flip when nothing changes but the batches, and which contrasts flip no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from scipy.stats import binomtest

from mplus_eval.records.comparison import FlipRate, NoiseFloor
from mplus_eval.records.contrast import Contrast
from mplus_eval.statistics.flips import count_flips
from mplus_eval.statistics.pairing import PairedItems, ScoredItems


@dataclass(frozen=True)
class SecondPass:
    """The baseline's second pass: outcomes by task, why a task has none, and how its batches differed."""

    batch_size: str
    outcomes: Mapping[str, pd.DataFrame]
    causes: Mapping[str, str] = field(default_factory=dict)


def noise_floor(
    first: Mapping[str, ScoredItems | None], second: Mapping[str, ScoredItems], found: SecondPass, level: float
) -> NoiseFloor:
    """Count what flipped from the first pass to the second, by task and over all of them.

    Args:
        first: the baseline's scored items by task, of every task of the run; None where it has no result.
        second: the same of the second pass.
        found: the second pass.
        level: of the intervals, such as 0.05 for 95 %.
    """
    rates, missing = {}, {}
    for task, before in first.items():
        pair = PairedItems.of(before, second[task]) if before is not None and task in second else None
        if pair is not None and len(pair):
            rates[task] = flip_rate(_flips(pair), len(pair), level)
        else:
            missing[task] = found.causes.get(task, "no item was scored by both passes")
    whole = None
    if rates and not missing:
        n_flips, n_items = (sum(getattr(rate, part) for rate in rates.values()) for part in ("flips", "n_items"))
        whole = flip_rate(n_flips, n_items, level)
    return NoiseFloor(batch_size=found.batch_size, tasks=rates, suite=whole, missing=missing)


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


def marked(contrasts: Mapping[str, Contrast], noise: NoiseFloor) -> dict[str, Contrast]:
    """One model's contrasts by task, each with whether it flips more than the noise floor of its task."""
    return {
        task: found.model_copy(
            update={"above_noise": is_above(found.lost + found.gained, found.n_pairs, noise.tasks.get(task))}
        )
        for task, found in contrasts.items()
    }


def is_suite_above(contrasts: Mapping[str, Contrast], noise: NoiseFloor) -> bool | None:
    """Tell whether one model flips more over all tasks than the noise floor; None unless both have all of them."""
    if contrasts.keys() != noise.tasks.keys():
        return None
    flips = sum(found.lost + found.gained for found in contrasts.values())
    return is_above(flips, sum(found.n_pairs for found in contrasts.values()), noise.suite)


def _flips(pair: PairedItems) -> int:
    found = count_flips(pair.before.scores, pair.after.scores, pair.before.answers, pair.after.answers)
    return found.lost + found.gained
