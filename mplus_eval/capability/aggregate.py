"""The stage that turns outcomes into a comparison: all of the statistics, and no model in sight.

Nothing here depends on the order of rows or on which other models are in the run: what is left to chance is seeded by
the names of what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from mplus_eval.capability.macro_average import macro_average, summarise
from mplus_eval.capability.noise_floor import SecondPass, is_suite_above, marked, noise_floor
from mplus_eval.capability.trajectory import trajectory_points
from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import (
    Comparison,
    Missing,
    ModelEntry,
    NoiseFloor,
    Pair,
    Score,
    Subject,
    SubjectContrast,
    Summary,
    Task,
)
from mplus_eval.records.contrast import Contrast
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.adjust import holm
from mplus_eval.statistics.contrast import Difference, Scale, contrasts, find_difference, rng_for
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.scores import mean_score

TEMPLATES_DIFFER = "chat templates differ"
PROMPTS_DIFFER = "prompts differ"
ITEMS_DIFFER = "not the same items"


@dataclass(frozen=True)
class TaskFacts:
    """What is to be said of a task besides its outcomes; `margin` is the task's own or the suite's."""

    name: str
    metric: str
    higher_is_better: bool
    n_shots: int
    chance: float
    kind: str
    lm_eval: str
    version: str
    filter: str
    margin: float
    n_items: int


@dataclass(frozen=True, eq=False)
class _Run:
    """What every step below looks things up in."""

    items: dict[tuple[str, str], ScoredItems]
    models: Mapping[str, ModelEntry]
    tasks: Sequence[TaskFacts]
    suite: Suite
    seed: int
    noise: NoiseFloor | None = None

    def pair(self, model: str, against: str, task: str) -> PairedItems | None:
        """The items that both models scored, if any."""
        before, after = self.items.get((against, task)), self.items.get((model, task))
        if before is None or after is None:
            return None
        pair = PairedItems.of(before, after)
        return pair if len(pair) else None


@dataclass(frozen=True, eq=False)
class _Versus:
    """One model against another over all tasks that both have."""

    pairs: dict[str, PairedItems]
    contrasts: dict[str, Contrast]
    summary: Summary


def build_comparison(
    outcomes: Mapping[tuple[str, str], pd.DataFrame],
    *,
    models: Mapping[str, ModelEntry],
    tasks: Sequence[TaskFacts],
    suite: Suite,
    baseline: str,
    pairs: str = "baseline",
    seed: int = 0,
    limit: int | None = None,
    missing: Sequence[Missing] = (),
    second_pass: SecondPass | None = None,
) -> Comparison:
    """Compare every model with the baseline on every task and over the suite.

    Args:
        outcomes: by model and task, rows with the columns of `OUTCOME_SCHEMA`; an absent cell has no score.
        models: the models, in the order of the report.
        tasks: the tasks, in the order of the report.
        suite: its margin and level are used, its tasks are not.
        baseline: one of the models.
        pairs: "baseline", or "all" for every other pair too, saved steps of a training aside.
        seed: of all that is left to chance.
        limit: items per leaf task, as it was asked for.
        missing: cells without a result.
        second_pass: the baseline once more, where a noise floor is wanted; it enters nothing else.
    """
    filters = {task.name: f"{task.metric},{task.filter}" for task in tasks}
    items = {cell: ScoredItems.of(rows, filters[cell[1]]) for cell, rows in outcomes.items() if cell[1] in filters}
    run = _Run(items, models, tasks, suite, seed)
    if second_pass is not None:
        run = replace(run, noise=_noise(run, baseline, second_pass, filters))
    averages = {model: _average(run, model) for model in models}
    versus = {model: _versus(run, model, baseline, averages) for model in models if model != baseline}
    paired = [model for model, entry in models.items() if model != baseline and entry.trajectory is None]
    others = paired if pairs == "all" else []
    return Comparison(
        baseline=baseline,
        suite=suite.name,
        level=suite.level,
        seed=seed,
        limit=limit,
        models=dict(models),
        tasks={task.name: _task(run, task, baseline, versus) for task in tasks},
        summary={model: versus[model].summary if model in versus else averages[model] for model in models},
        pairs=tuple(_pair(run, model, against, averages) for against, model in combinations(others, 2)),
        trajectories=trajectory_points(
            items,
            models,
            [task.name for task in tasks],
            averages,
            baseline,
            suite.level,
            seeded=lambda model: _seeded_average(run, model),
        ),
        missing=tuple(missing),
        noise_floor=run.noise,
    )


def _noise(run: _Run, baseline: str, second_pass: SecondPass, filters: Mapping[str, str]) -> NoiseFloor:
    first = {task.name: run.items.get((baseline, task.name)) for task in run.tasks}
    second = {task: ScoredItems.of(rows, filters[task]) for task, rows in second_pass.outcomes.items()}
    return noise_floor(first, second, second_pass, run.suite.level)


def _versus(run: _Run, model: str, against: str, averages: Mapping[str, Summary]) -> _Versus:
    """Set one model against another on every task that both have, and over the suite."""
    pairs = {task.name: pair for task in run.tasks if (pair := run.pair(model, against, task.name))}
    differences = {
        task.name: find_difference(
            pairs[task.name],
            higher_is_better=task.higher_is_better,
            margin=task.margin,
            generator=_seeded_pair(run, task.name, model, against),
        )
        for task in run.tasks
        if task.name in pairs
    }
    flags = {name: _flags(run, pair, model, against) for name, pair in pairs.items()}
    judged = contrasts(differences, pairs, flags, run.suite.level)
    summary = _summary(run, model, against, differences, averages)
    if run.noise is not None:
        judged = marked(judged, run.noise)
        summary = summary.model_copy(update={"above_noise": is_suite_above(judged, run.noise)})
    return _Versus(pairs, judged, summary)


def _flags(run: _Run, pair: PairedItems, model: str, against: str) -> tuple[str, ...]:
    """What makes a contrast doubtful."""
    same_template = run.models[model].chat_template == run.models[against].chat_template
    flags = {
        TEMPLATES_DIFFER: not same_template,
        PROMPTS_DIFFER: same_template and pair.prompts_differ,
        ITEMS_DIFFER: not pair.complete,
    }
    return tuple(flag for flag, holds in flags.items() if holds)


def _average(run: _Run, model: str) -> Summary:
    """A model's macro-average, or why there is none."""
    reasons = [f"no result on {task}" for task in _without(run, model)]
    for task in run.tasks:
        if not task.higher_is_better:
            reasons.append(f"lower is better on {task.name}")
        elif (cell := run.items.get((model, task.name))) and len(cell) and Scale.of(cell.scores) != Scale():
            reasons.append(f"scores on {task.name} are not between 0 and 1")
    if reasons or not run.tasks:
        return Summary(withheld="; ".join(reasons) or "no task")
    cells = [run.items[model, task.name] for task in run.tasks]
    return macro_average(cells, run.suite.level, _seeded_average(run, model))


def _seeded_average(run: _Run, model: str) -> np.random.Generator:
    return rng_for(run.seed, "macro-average", model)


def _summary(
    run: _Run, model: str, against: str, differences: Mapping[str, Difference], averages: Mapping[str, Summary]
) -> Summary:
    """A model over the suite against another; without a verdict where either has no macro-average."""
    own, other = averages[model], averages[against]
    if own.withheld:
        return own
    if other.withheld:
        return own.model_copy(update={"withheld": f"{against}: {other.withheld}"})
    unpaired = [task.name for task in run.tasks if task.name not in differences]
    if unpaired:
        return own.model_copy(update={"withheld": f"no items in common with {against} on {', '.join(unpaired)}"})
    generator = _seeded_pair(run, "suite", model, against)
    return summarise(own, list(differences.values()), run.suite.margin, run.suite.level, generator)


def _without(run: _Run, model: str) -> list[str]:
    """Tasks on which a model has no scored item."""
    return [task.name for task in run.tasks if not len(run.items.get((model, task.name), ()))]


def _pair(run: _Run, model: str, against: str, averages: Mapping[str, Summary]) -> Pair:
    found = _versus(run, model, against, averages)
    return Pair(model=model, against=against, tasks=found.contrasts, summary=found.summary)


def _task(run: _Run, task: TaskFacts, baseline: str, versus: Mapping[str, _Versus]) -> Task:
    cells = {model: run.items[model, task.name] for model in run.models if (model, task.name) in run.items}
    pairs = {model: found.pairs[task.name] for model, found in versus.items() if task.name in found.pairs}
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
        scores={model: _score(cell, run.suite.level) for model, cell in cells.items()},
        contrasts={model: versus[model].contrasts[task.name] for model in pairs},
        subjects=_subjects(run, task, baseline, cells, pairs),
    )


def _score(cell: ScoredItems, level: float) -> Score:
    """A model's mean over scored items, with its interval."""
    if not len(cell):
        return Score(value=None, ci=None, n_scored=0, n_failed=cell.n_failed)
    scale = Scale.of(cell.scores)
    found = mean_score((cell.scores - scale.low) / scale.width, cell.design())
    return Score(
        value=float(np.mean(cell.scores)),
        ci=_interval(found.interval(level), scale),
        n_scored=len(cell),
        n_failed=cell.n_failed,
        n_truncated=int(np.count_nonzero(cell.truncated)),
        other_metrics=cell.other_metrics,
    )


def _interval(ends: tuple[Floats, Floats], scale: Scale) -> Interval:
    return float(ends[0]) * scale.width + scale.low, float(ends[1]) * scale.width + scale.low


def _subjects(
    run: _Run,
    task: TaskFacts,
    baseline: str,
    cells: Mapping[str, ScoredItems],
    pairs: Mapping[str, PairedItems],
) -> dict[str, Subject]:
    """Results by stratum, where a task has more than one."""
    names = sorted({name for cell in cells.values() for name in cell.all_strata})
    if len(names) < 2:
        return {}
    found = {model: _subject_contrasts(run, task, model, baseline, pair) for model, pair in pairs.items()}
    return {
        name: Subject(
            n_items=max(cell.all_strata.get(name, 0) for cell in cells.values()),
            scores={model: _score(cell.in_stratum(name), run.suite.level) for model, cell in cells.items()},
            contrasts={model: of[name] for model, of in found.items() if name in of},
        )
        for name in names
    }


def _subject_contrasts(
    run: _Run, task: TaskFacts, model: str, baseline: str, pair: PairedItems
) -> dict[str, SubjectContrast]:
    """A model against the baseline in every stratum, Holm-adjusted over them."""
    differences = {
        str(name): find_difference(
            pair.in_stratum(name),
            higher_is_better=task.higher_is_better,
            margin=task.margin,
            generator=_seeded_pair(run, f"{task.name}\x1f{name}", model, baseline),
        )
        for name in np.unique(pair.before.strata)
    }
    adjusted = holm({name: found.p_value for name, found in differences.items()})
    return {
        name: SubjectContrast(
            difference=found.value,
            ci=found.interval(run.suite.level),
            n_pairs=found.design.n_items,
            p_value=found.p_value,
            p_adjusted=adjusted[name],
        )
        for name, found in differences.items()
    }


def _seeded_pair(run: _Run, what: str, model: str, against: str) -> np.random.Generator:
    """Seeded by both names in one order, so that swapping the models changes signs and nothing else."""
    return rng_for(run.seed, what, *sorted((model, against)))
