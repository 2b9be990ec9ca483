"""One model against another: its contrasts on every task that both have, and its summary over the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mplus_eval.audit.differences import Auditor, audited, withheld_for
from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.macro_average import summarise
from mplus_eval.capability.noise_floor import mark_above_noise
from mplus_eval.models.chat_format import PLAIN
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry, NoiseFloor, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.contrast import Difference, contrasts, find_difference, rng_for
from mplus_eval.statistics.pairing import PairedItems, ScoredItems

Items = Mapping[tuple[str, str], ScoredItems]
"""The scored items of every cell that has any, by model and task."""
Asked = Mapping[tuple[str, str], AskedItems]
"""How the items of the same cells were asked."""


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
    departs: tuple[str, ...] = ()
    n_replaced: int = 0
    has_description: bool = False


@dataclass(frozen=True)
class CapabilityRun:
    """What is compared, and how.

    Attributes:
        models: in the order of the report.
        tasks: in the order of the report.
        suite: its margin and level are used, its tasks are not.
        baseline: one of the models.
        pairs: "baseline", or "all" for every other pair too.
        seed: of all that is left to chance.
        allowed: differences in asking that withhold no verdict, by name.
    """

    models: Mapping[str, ModelEntry]
    tasks: Sequence[TaskFacts]
    suite: Suite
    baseline: str
    pairs: str = "baseline"
    seed: int = 0
    allowed: tuple[str, ...] = ()

    def rng_for(self, what: str, model: str, against: str) -> np.random.Generator:
        """Seeded by both names in one order, so that swapping the models changes signs and nothing else."""
        return rng_for(self.seed, what, *sorted((model, against)))

    def rng_for_average(self, model: str) -> np.random.Generator:
        """Seeded by the name of the model whose macro-average is resampled."""
        return rng_for(self.seed, "macro-average", model)


@dataclass(frozen=True, eq=False)
class Versus:
    """One model against another over all tasks that both have."""

    pairs: dict[str, PairedItems]
    contrasts: dict[str, Contrast]
    summary: Summary


def set_against(
    items: Items,
    asked: Asked,
    run: CapabilityRun,
    names: tuple[str, str],
    averages: Mapping[str, Summary],
    noise: NoiseFloor | None,
) -> Versus:
    """Set one model against another on every task that both have, and over the suite.

    Args:
        items: of both, at least.
        asked: of both, at least.
        run: tasks and settings.
        names: the model and the one that it is held against.
        averages: macro-averages of both, or why there is none.
        noise: by which contrasts are marked, where it was measured.
    """
    model, against = names
    auditor = Auditor(run.models, run.allowed)
    pairs, differences, audits = {}, {}, {}
    for task in run.tasks:
        before, after = items.get((against, task.name)), items.get((model, task.name))
        if before is None or after is None or not len(pair := PairedItems.of(before, after)):
            continue
        pairs[task.name] = pair
        differences[task.name] = find_difference(
            pair,
            higher_is_better=task.higher_is_better,
            margin=task.margin,
            generator=run.rng_for(task.name, model, against),
        )
        sides = asked[model, task.name], asked[against, task.name]
        # In a plain prompt a description is text like any other.
        describes = task.has_description and any(run.models[name].chat_template != PLAIN for name in names)
        audits[task.name] = auditor.find(names, sides, generates=task.kind != "choice", describes=describes)
    judged = contrasts(differences, pairs, run.suite.level)
    task_contrasts = {task: audited(contrast, audits[task]) for task, contrast in judged.items()}
    summary = _summary(run, names, differences, averages)
    if summary.verdict is not None and (reasons := _reasons(audits)):
        summary = summary.model_copy(update={"verdict": Verdict.NOT_COMPARABLE, "reasons": reasons})
    if noise is not None:
        task_contrasts, summary = mark_above_noise(task_contrasts, summary, noise)
    return Versus(pairs, task_contrasts, summary)


def _reasons(audits: Mapping[str, Sequence[AskedDifference]]) -> tuple[str, ...]:
    """Why the suite's verdict is withheld: what withholds that of a task, with the tasks where it does."""
    tasks: dict[str, list[str]] = {}
    for task, found in audits.items():
        for reason in withheld_for(found):
            tasks.setdefault(reason, []).append(task)
    every = len(audits)
    return tuple(
        reason if len(names) == every else f"{reason}, on {', '.join(names)}" for reason, names in tasks.items()
    )


def _summary(
    run: CapabilityRun,
    names: tuple[str, str],
    differences: Mapping[str, Difference],
    averages: Mapping[str, Summary],
) -> Summary:
    """A model over the suite against another; without a verdict where either has no macro-average."""
    model, against = names
    own, other = averages[model], averages[against]
    if own.withheld:
        return own
    if other.withheld:
        return own.model_copy(update={"withheld": f"{against}: {other.withheld}"})
    unpaired = [task.name for task in run.tasks if task.name not in differences]
    if unpaired:
        return own.model_copy(update={"withheld": f"no items in common with {against} on {', '.join(unpaired)}"})
    generator = run.rng_for("suite", model, against)
    return summarise(own, list(differences.values()), run.suite.margin, run.suite.level, generator)
