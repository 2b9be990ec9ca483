"""The stage that turns outcomes into a comparison's tasks and suite: all of the statistics, and no model in sight.

Nothing here depends on the order of rows or on which other models are in the run: what is left to chance is seeded by
the names of what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pandas as pd

from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.macro_average import macro_average
from mplus_eval.capability.noise_floor import NoiseRerun, noise_floor
from mplus_eval.capability.rounds import Rounds
from mplus_eval.capability.sequential import Asking
from mplus_eval.capability.settled import settled, without_subject_tests
from mplus_eval.capability.task_results import task_results
from mplus_eval.capability.trajectory import trajectory_points
from mplus_eval.capability.versus import CapabilityRun, Items, SideBySide, Versus, judge
from mplus_eval.records.comparison import Pair, Summary
from mplus_eval.statistics.difference import Scale

Outcomes = Mapping[tuple[str, str], pd.DataFrame]
"""By model and task, rows with the columns of `Outcome`; an absent cell has no score."""


def compare_outcomes(
    outcomes: Outcomes, run: CapabilityRun, rerun: NoiseRerun | None = None, rounds: Rounds | None = None
) -> dict[str, object]:
    """Compare every model with the baseline on every task and over the suite.

    Args:
        outcomes: of all models.
        run: the models, tasks and settings.
        rerun: the baseline once more, where a noise floor is wanted; it enters nothing else.
        rounds: in which items were asked, where asking stopped with the verdicts.

    Returns:
        The fields of a `Comparison` that are of capability: tasks, summary, pairs, trajectories, noise_floor.
    """
    tasks = {task.name: task for task in run.tasks}
    outcomes = {cell: rows for cell, rows in outcomes.items() if cell[1] in tasks}
    items = {cell: tasks[cell[1]].scored(rows) for cell, rows in outcomes.items()}
    run = replace(run, outside=outside(items, run))
    asked = {cell: AskedItems.of(rows) for cell, rows in outcomes.items()}
    noise = None
    if rerun is not None:
        again = {task: tasks[task].scored(rows) for task, rows in rerun.outcomes.items()}
        # Of losses none stays as it was in other batches.
        baseline = {task.name: items.get((run.baseline, task.name)) for task in run.tasks if not task.measure.is_ratio}
        noise = noise_floor(baseline, again, rerun, run.suite.level)
    averages = {model: average(items, run, model) for model in run.models}
    others = [model for model in run.models if model != run.baseline]
    # Saved steps of a training stand in the trajectory, and in no family but their own.
    finished = [model for model in others if run.models[model].trajectory is None]

    def judged(names: Sequence[tuple[str, str]]) -> list[Versus]:
        sides = [SideBySide.of(items, asked, run, *each) for each in names]
        families = [sides] if run.adjust == "models" else [[each] for each in sides]
        return [versus for family in families for versus in judge(family, run, averages, noise)]

    if rounds is not None:
        versus = settled(Asking(run, rounds), outcomes, averages)
    else:
        versus = dict(zip(finished, judged([(model, run.baseline) for model in finished]), strict=True))
    for model in others:
        if model not in versus:
            versus[model] = judge([SideBySide.of(items, asked, run, model, run.baseline)], run, averages, noise)[0]
    pairs = []
    if run.pairs == "all":
        names = [(model, against) for against, model in combinations(finished, 2)]
        for (model, against), pair in zip(names, judged(names), strict=True):
            pairs.append(Pair(model=model, against=against, tasks=pair.contrasts, summary=pair.summary))
    results = {task.name: task_results(items, run, task, versus) for task in run.tasks}
    if rounds is not None:
        results = {name: without_subject_tests(result) for name, result in results.items()}
    return {
        "tasks": results,
        "summary": {model: versus[model].summary if model in versus else averages[model] for model in run.models},
        "pairs": tuple(pairs),
        "trajectories": trajectory_points(items, run, averages),
        "noise_floor": noise,
    }


def outside(items: Items, run: CapabilityRun) -> dict[str, str]:
    """The tasks that are no part of the macro-average of scores between 0 and 1, each with the reason.

    The baseline's scores say in which range a task's are, so that no other model changes what is averaged.
    """
    reasons = {}
    for task in run.tasks:
        cell = items.get((run.baseline, task.name))
        if task.measure.is_ratio:
            reasons[task.name] = "its value is a ratio and not a score"
        elif not task.higher_is_better:
            reasons[task.name] = "lower is better"
        elif cell and len(cell) and Scale.of(cell.scores) != Scale():
            reasons[task.name] = "its scores are not between 0 and 1"
    return reasons


def average(items: Items, run: CapabilityRun, model: str) -> Summary:
    """A model's macro-average, or why there is none."""
    reasons = []
    for task in run.averaged:
        cell = items.get((model, task.name))
        if cell is None or not len(cell):
            reasons.append(f"no result on {task.name}")
        elif Scale.of(cell.scores) != Scale():
            reasons.append(f"scores on {task.name} are not between 0 and 1")
    if reasons or not run.averaged:
        return Summary(withheld="; ".join(reasons) or _nothing_averaged(run.outside))
    cells = [items[model, task.name] for task in run.averaged]
    return macro_average(cells, [task.icc for task in run.averaged], run.suite.level)


def _nothing_averaged(outside: Mapping[str, str]) -> str:
    told = "; ".join(f"{task}: {reason}" for task, reason in outside.items())
    return f"no task can be averaged ({told})" if told else "no task"
