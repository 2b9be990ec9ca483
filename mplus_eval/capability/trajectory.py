"""The macro-averages along a training, over the same items, so that one step differs from the next by the model alone.

Saved steps may have answered fewer items than the baseline and the final model (`trajectory_limit`), and any model may
have failed on some; a trajectory is drawn over the items of each task that all of its points scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from mplus_eval.capability.macro_average import macro_average
from mplus_eval.records.comparison import ModelEntry, Summary, TrajectoryPoints
from mplus_eval.statistics.pairing import ScoredItems

Cells = Mapping[tuple[str, str], ScoredItems]
Seeded = Callable[[str], np.random.Generator]


def trajectory_points(
    items: Cells,
    models: Mapping[str, ModelEntry],
    tasks: Sequence[str],
    averages: Mapping[str, Summary],
    baseline: str,
    level: float,
    seeded: Seeded,
) -> dict[str, TrajectoryPoints]:
    """The points of every trajectory, by the name of the trained model.

    Args:
        items: by model and task.
        models: in the order of the report.
        tasks: those of the macro-average.
        averages: of every model over its own items; a model whose average is withheld has no point.
        baseline: step 0 of every trajectory.
        level: of the intervals.
        seeded: source of randomness for a model's name.
    """
    found = {}
    for name in dict.fromkeys(entry.trajectory for entry in models.values() if entry.trajectory is not None):
        along = [model for model, entry in models.items() if model in (baseline, name) or entry.trajectory == name]
        points = [model for model in along if averages[model].macro_average is not None]
        found[name] = _points(items, points, tasks, level, seeded)
    return found


def _points(
    items: Cells, models: Sequence[str], tasks: Sequence[str], level: float, seeded: Seeded
) -> TrajectoryPoints:
    shared = {task: _shared([items[model, task].keys for model in models]) for task in tasks} if models else {}
    empty = [task for task, keys in shared.items() if not len(keys)]
    if empty:
        return TrajectoryPoints(n_items=0, withheld=f"no item that all points scored on {', '.join(empty)}")
    averages = {
        model: macro_average([_only(items[model, task], shared[task]) for task in tasks], level, seeded(model))
        for model in models
    }
    return TrajectoryPoints(n_items=sum(map(len, shared.values())), averages=averages)


def _shared(keys: Sequence[pd.MultiIndex]) -> pd.MultiIndex:
    """The keys that stand in all, in the order of the first."""
    first, *others = keys
    for other in others:
        first = first[first.isin(other)]
    return first


def _only(cell: ScoredItems, keys: pd.MultiIndex) -> ScoredItems:
    """A cell's items of these keys, in its own order, which is by item and sample in every cell."""
    return cell.take(np.flatnonzero(cell.keys.isin(keys)))
