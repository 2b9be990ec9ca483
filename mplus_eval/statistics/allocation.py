"""How many items of each task, so that the mean over tasks is known best for a number of items in all.

The macro-average's standard error is sqrt(Σ q·D/n)/T over T tasks, with q the share of items on which two models
differ, D the design effect and n the items. For Σ c·n given, it is smallest at n ∝ sqrt(q·D/c) (Neyman 1934; Cochran
1977, section 5.5), with c the cost of an item. No task has more items than its data: what it cannot take goes to the
others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DISCORDANCE: Mapping[str, float] = MappingProxyType({"choice": 0.08, "mixed": 0.10, "generation": 0.15})
"""Assumed of two checkpoints of one training: the share of items that one gets right and the other wrong, by the kind
of the task."""
LIGHT_DISCORDANCE = 0.03
"""The same where a checkpoint was hardly changed."""
LEAST_ITEMS = 2
"""Items of each subtask: two show a spread, one does not."""


def allocate(
    sizes: Sequence[int],
    discordance: Sequence[float],
    effect: Sequence[float] | float = 1.0,
    cost: Sequence[float] | float = 1.0,
    budget: int = 0,
    least: Sequence[int] | None = None,
) -> list[int]:
    """Spread items over tasks where they serve the mean over tasks most.

    Args:
        sizes: items that each task has.
        discordance: share of a task's items on which two models are expected to differ.
        effect: design effect of a task's items.
        cost: of an item, in any unit. Where `budget` counts items it is 1 for all: they differ only where what is to
            be saved is something else, such as tokens.
        budget: items in all; those of all tasks where it is more.
        least: of each task, no fewer than these.

    Returns:
        Items of each task; they sum to the budget, or to what there is.

    Raises:
        ValueError: the budget is below the sum of `least`.
    """
    most = np.asarray(sizes, dtype=float)
    lowest = np.zeros(most.size) if least is None else np.minimum(np.asarray(least, dtype=float), most)
    if budget < lowest.sum():
        raise ValueError(f"{budget} items, where {int(lowest.sum())} are the least")
    weights = np.sqrt(np.asarray(discordance) * np.asarray(effect) / np.asarray(cost)) * np.ones(most.size)
    weights = np.maximum(weights, 1e-9)  # where two models never differ, what is left over still has a place
    return whole_numbers(_filled(weights, lowest, most, budget), lowest, most)


def spread(sizes: Sequence[int], n: int, least: int = LEAST_ITEMS) -> list[int]:
    """Spread a task's items over its subtasks in proportion to their sizes.

    In proportion, the mean over the items that are asked is an estimate of the mean over all of them. Only where that
    gives a subtask fewer than `least`, it gets as many.

    Args:
        sizes: items that each subtask has.
        n: items in all, at least those that `least` asks for; those of all subtasks where it is more.
        least: no fewer than these of each, as far as it has them.
    """
    most = np.asarray(sizes, dtype=float)
    lowest = np.minimum(most, least)
    if n < lowest.sum():
        raise ValueError(f"{n} items, where {int(lowest.sum())} are the least")
    return whole_numbers(_filled(most, lowest, most, n), lowest, most)


def whole_numbers(shares: Floats, lowest: Floats, most: Floats) -> list[int]:
    """Round shares to whole numbers with their sum, by the largest remainders, within their bounds."""
    whole = np.clip(np.floor(shares + 1e-9), lowest, most)
    total = round(float(shares.sum()))
    # Ties go to the first, so that the same is found on every machine.
    for place in np.argsort(-np.round(shares - whole, 9), kind="stable"):
        if whole.sum() >= total:
            break
        if whole[place] < most[place]:
            whole[place] += 1
    return [int(number) for number in whole]


def _filled(weights: Floats, lowest: Floats, most: Floats, budget: int) -> Floats:
    """Shares in proportion to weights between bounds, of which a level makes the sum the budget (water-filling)."""
    if budget >= most.sum():
        return most
    # The sum grows with the level and is linear between the levels at which a share meets a bound.
    levels = np.unique(np.concatenate([lowest / weights, most / weights, [0.0]]))
    sums = np.array([np.clip(weights * level, lowest, most).sum() for level in levels])
    level = float(np.interp(budget, sums, levels))
    shares: Floats = np.clip(weights * level, lowest, most)
    return shares
