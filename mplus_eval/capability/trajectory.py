"""The macro-averages along a training, over the same items, so that one step differs from the next by the model alone.

Saved steps may have answered fewer items than the baseline and the final model (`trajectory_limit`), and any model may
have failed on some; a trajectory is drawn over the items of each task that all of its points scored.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mplus_eval.capability.macro_average import macro_average
from mplus_eval.capability.versus import CapabilityRun, Items
from mplus_eval.records.comparison import Summary, TrajectoryPoints
from mplus_eval.statistics.selection import selection_bias


def trajectory_points(items: Items, run: CapabilityRun, averages: Mapping[str, Summary]) -> dict[str, TrajectoryPoints]:
    """The points of every trajectory, by the name of the trained model; the baseline is step 0 of each.

    Args:
        items: by model and task.
        run: the models, among them the saved steps, the tasks of the macro-average, and the level of the intervals.
        averages: of every model over its own items; a model whose average is withheld has no point.
    """
    trajectories = {}
    for name in dict.fromkeys(entry.trajectory for entry in run.models.values() if entry.trajectory is not None):
        along = [
            model for model, entry in run.models.items() if model in (run.baseline, name) or entry.trajectory == name
        ]
        points = [model for model in along if averages[model].macro_average is not None]
        shared = {}
        for task in run.averaged if points else ():
            keys, *others = (items[model, task.name].keys for model in points)
            for other in others:
                keys = keys[keys.isin(other)]
            shared[task.name] = keys
        if empty := [task for task, keys in shared.items() if not len(keys)]:
            withheld = f"no item that all points scored on {', '.join(empty)}"
            trajectories[name] = TrajectoryPoints(n_items=0, withheld=withheld)
            continue
        point_averages = {}
        for model in points:
            # Each cell in its own order, which is by item and sample in every one.
            numbers = {task: np.flatnonzero(items[model, task].keys.isin(keys)) for task, keys in shared.items()}
            cells = [items[model, task].take(each) for task, each in numbers.items()]
            point_averages[model] = macro_average(cells, [task.icc for task in run.averaged], run.suite.level)
        n_steps = sum(model != run.baseline for model in points)
        trajectories[name] = TrajectoryPoints(
            n_items=sum(map(len, shared.values())),
            averages=point_averages,
            selection_bias=selection_bias(n_steps) if n_steps > 1 else None,
        )
    return trajectories
