"""The stage that turns outcomes into a comparison's tasks and suite: all of the statistics, and no model in sight.

Nothing here depends on the order of rows or on which other models are in the run: what is left to chance is seeded by
the names of what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd

from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.macro_average import macro_average
from mplus_eval.capability.noise_floor import NoiseRerun, noise_floor
from mplus_eval.capability.task_results import task_results
from mplus_eval.capability.trajectory import trajectory_points
from mplus_eval.capability.versus import CapabilityRun, Items, SideBySide, Versus, judge
from mplus_eval.records.comparison import Pair, Summary
from mplus_eval.statistics.contrast import Scale
from mplus_eval.statistics.pairing import ScoredItems

Outcomes = Mapping[tuple[str, str], pd.DataFrame]
"""By model and task, rows with the columns of `Outcome`; an absent cell has no score."""


def compare_outcomes(outcomes: Outcomes, run: CapabilityRun, rerun: NoiseRerun | None = None) -> dict[str, object]:
    """Compare every model with the baseline on every task and over the suite.

    Args:
        outcomes: of all models.
        run: the models, tasks and settings.
        rerun: the baseline once more, where a noise floor is wanted; it enters nothing else.

    Returns:
        The fields of a `Comparison` that are of capability: tasks, summary, pairs, trajectories, noise_floor.
    """
    filters = {task.name: f"{task.metric},{task.filter}" for task in run.tasks}
    outcomes = {cell: rows for cell, rows in outcomes.items() if cell[1] in filters}
    items = {cell: ScoredItems.of(rows, filters[cell[1]]) for cell, rows in outcomes.items()}
    asked = {cell: AskedItems.of(rows) for cell, rows in outcomes.items()}
    noise = None
    if rerun is not None:
        again = {task: ScoredItems.of(rows, filters[task]) for task, rows in rerun.outcomes.items()}
        baseline = {task.name: items.get((run.baseline, task.name)) for task in run.tasks}
        noise = noise_floor(baseline, again, rerun, run.suite.level)
    averages = {model: average(items, run, model) for model in run.models}
    others = [model for model in run.models if model != run.baseline]
    # Saved steps of a training stand in the trajectory, and in no family but their own.
    finished = [model for model in others if run.models[model].trajectory is None]

    def judged(names: Sequence[tuple[str, str]]) -> list[Versus]:
        sides = [SideBySide.of(items, asked, run, *each) for each in names]
        families = [sides] if run.adjust == "models" else [[each] for each in sides]
        return [versus for family in families for versus in judge(family, run, averages, noise)]

    versus = dict(zip(finished, judged([(model, run.baseline) for model in finished]), strict=True))
    for model in others:
        if model not in versus:
            versus[model] = judge([SideBySide.of(items, asked, run, model, run.baseline)], run, averages, noise)[0]
    pairs = []
    if run.pairs == "all":
        names = [(model, against) for against, model in combinations(finished, 2)]
        for (model, against), pair in zip(names, judged(names), strict=True):
            pairs.append(Pair(model=model, against=against, tasks=pair.contrasts, summary=pair.summary))
    return {
        "tasks": {task.name: task_results(items, run, task, versus) for task in run.tasks},
        "summary": {model: versus[model].summary if model in versus else averages[model] for model in run.models},
        "pairs": tuple(pairs),
        "trajectories": trajectory_points(items, run, averages),
        "noise_floor": noise,
    }


def average(items: Items, run: CapabilityRun, model: str) -> Summary:
    """A model's macro-average, or why there is none."""
    lacking = [task.name for task in run.tasks if not len(items.get((model, task.name), ()))]
    reasons = [f"no result on {task}" for task in lacking]
    for task in run.tasks:
        if not task.higher_is_better:
            reasons.append(f"lower is better on {task.name}")
        elif (cell := items.get((model, task.name))) and len(cell) and Scale.of(cell.scores) != Scale():
            reasons.append(f"scores on {task.name} are not between 0 and 1")
    if reasons or not run.tasks:
        return Summary(withheld="; ".join(reasons) or "no task")
    cells = [items[model, task.name] for task in run.tasks]
    return macro_average(cells, [task.icc for task in run.tasks], run.suite.level)
