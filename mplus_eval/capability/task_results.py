"""One task's part of the comparison: scores of all models, contrasts with the baseline, and both by subject."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mplus_eval.capability.versus import CapabilityRun, Items, TaskFacts, Versus
from mplus_eval.records.comparison import Score, Subject, SubjectContrast, Task
from mplus_eval.statistics.adjust import step_down
from mplus_eval.statistics.contrast import intervals
from mplus_eval.statistics.difference import Scale
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.scores import mean_score
from mplus_eval.statistics.texts import ratio_score


def task_results(items: Items, run: CapabilityRun, task: TaskFacts, versus: Mapping[str, Versus]) -> Task:
    """Scores of all models on one task, and contrasts with the baseline."""
    cells = {model: items[model, task.name] for model in run.models if (model, task.name) in items}
    pairs = {model: each.pairs[task.name] for model, each in versus.items() if task.name in each.pairs}
    return Task(
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        n_items=task.n_items,
        n_shots=task.n_shots,
        chance=task.chance,
        kind=task.kind,
        lm_eval=task.lm_eval,
        version=task.version,
        filter=task.filter,
        departs=task.departs,
        n_shots_replaced=task.n_replaced,
        has_description=task.has_description,
        outside=run.outside.get(task.name, ""),
        relative=task.measure.is_ratio,
        by_size=task.measure.by_size,
        scores={model: _score(cell, run.suite.level, task.icc) for model, cell in cells.items()},
        contrasts={model: versus[model].contrasts[task.name] for model in pairs},
        subjects=_subjects(run, task, cells, pairs),
    )


def _score(cell: ScoredItems, level: float, icc: float) -> Score:
    """A model's value over scored items, with its interval."""
    if not len(cell):
        return Score(value=None, ci=None, n_scored=0, n_failed=cell.n_failed)
    if cell.measure.is_ratio:
        found = ratio_score(cell.scores, cell.texts())
        value, ci = found.value, found.interval(level)
    else:
        scale = Scale.of(cell.scores)
        mean = mean_score((cell.scores - scale.low) / scale.width, cell.design, icc=icc)
        low, high = (float(end) * scale.width + scale.low for end in mean.interval(level))
        value, ci = float(cell.design.mean(cell.scores)), (low, high)
    return Score(
        value=value,
        ci=ci,
        n_scored=len(cell),
        n_failed=cell.n_failed,
        n_truncated=int(np.count_nonzero(cell.truncated)),
        other_metrics=dict(cell.other_metrics),
    )


def _subjects(
    run: CapabilityRun,
    task: TaskFacts,
    cells: Mapping[str, ScoredItems],
    pairs: Mapping[str, PairedItems],
) -> dict[str, Subject]:
    """Results by stratum, where a task has more than one; contrasts are adjusted over the strata."""
    names = sorted({name for cell in cells.values() for name in cell.all_strata})
    if len(names) < 2:
        return {}
    contrasts: dict[str, dict[str, SubjectContrast]] = {name: {} for name in names}
    for model, pair in pairs.items():
        differences = {
            str(name): task.difference(
                pair.in_stratum(name), run.rng_for(f"{task.name}\x1f{name}", model, run.baseline), whole=False
            )
            for name in np.unique(pair.before.strata)
        }
        adjusted = step_down({name: difference.significance for name, difference in differences.items()})
        found = intervals(list(differences.values()), run.suite.level)
        for (name, difference), ci in zip(differences.items(), found, strict=True):
            contrasts[name][model] = SubjectContrast(
                difference=difference.value,
                ci=ci,
                n_pairs=difference.design.n_items,
                p_value=difference.p_value,
                p_adjusted=adjusted[name],
            )
    return {
        name: Subject(
            n_items=max(cell.all_strata.get(name, 0) for cell in cells.values()),
            scores={model: _score(cell.in_stratum(name), run.suite.level, task.icc) for model, cell in cells.items()},
            contrasts=contrasts[name],
        )
        for name in names
    }
