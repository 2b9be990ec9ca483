"""One model against another: contrasts on every task that both have, and a summary over the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from mplus_eval.audit.differences import Auditor, audited, withheld_for
from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.further_metrics import NO_FURTHER, FurtherMetrics
from mplus_eval.capability.macro_average import SuiteDifference, suite_verdicts
from mplus_eval.capability.noise_floor import mark_above_noise
from mplus_eval.capability.pooled import pooled
from mplus_eval.models.chat_format import ONE_MESSAGE, PLAIN
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry, NoiseFloor, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.contrast import AnyDifference, contrasts
from mplus_eval.statistics.difference import Difference, find_difference, rng_for
from mplus_eval.statistics.estimate import ICC
from mplus_eval.statistics.measure import MEAN, Measure
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.ratio import ratio_difference

Items = Mapping[tuple[str, str], ScoredItems]
"""The scored items of every cell that has any, by model and task."""
Asked = Mapping[tuple[str, str], AskedItems]
"""How the items of the same cells were asked."""


LOST = "lost"
"""The difference in asking that failures make (`spec.differences`)."""


@dataclass(frozen=True)
class TaskFacts:
    """What is to be said of a task besides its outcomes; `margin`, `retain` and `icc` are its own or the suite's."""

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
    retain: float | None = None
    icc: float = ICC
    measure: Measure = MEAN
    further: FurtherMetrics = NO_FURTHER

    def scored(self, outcomes: pd.DataFrame) -> ScoredItems:
        """The scored items of a cell, with its further metrics."""
        key = f"{self.metric},{self.filter}"
        return ScoredItems.of(outcomes, key, self.measure, self.further.of(outcomes, key))

    def difference(
        self, pair: PairedItems, generator: np.random.Generator, *, level: float = 0.05, whole: bool = True
    ) -> AnyDifference:
        """Estimate and test the difference of two models over items that both scored.

        Args:
            pair: the items.
            generator: source of randomness, where signs are drawn.
            level: of the intervals.
            whole: whether these are all items of the task, and the baseline is held against chance.
        """
        if self.measure.is_ratio:
            return ratio_difference(
                pair, higher_is_better=self.higher_is_better, margin=self.margin, generator=generator
            )
        return find_difference(
            pair,
            higher_is_better=self.higher_is_better,
            margin=self.margin,
            generator=generator,
            level=level,
            icc=self.icc,
            chance=self.chance if whole else None,
            retain=self.retain if whole else None,
        )


@dataclass(frozen=True)
class CapabilityRun:
    """What is compared, and how.

    Attributes:
        models: in the order of the report.
        tasks: in the order of the report.
        suite: its margin and level are used, its tasks are not.
        baseline: one of the models.
        pairs: "baseline", or "all" for every other pair too.
        adjust: "model", where each model's tasks are a family of tests; "models", where those of all models are one.
        seed: of all that is left to chance.
        allowed: differences in asking that withhold no verdict, by name.
        outside: tasks that are no part of the macro-average, each with the reason.
    """

    models: Mapping[str, ModelEntry]
    tasks: Sequence[TaskFacts]
    suite: Suite
    baseline: str
    pairs: str = "baseline"
    adjust: str = "model"
    seed: int = 0
    allowed: tuple[str, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)

    @property
    def averaged(self) -> list[TaskFacts]:
        """The tasks of the macro-average."""
        return [task for task in self.tasks if task.name not in self.outside]

    def rng_for(self, what: str, model: str, against: str) -> np.random.Generator:
        """Seeded by both names in one order, so that swapping the models changes signs and nothing else."""
        return rng_for(self.seed, what, *sorted((model, against)))


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Two models on every task that both have, before anything is judged.

    Attributes:
        model: the one in question.
        against: the one that it is held against.
        pairs: by task, the items that both scored.
        differences: by task.
        audits: by task, what differs in how they were asked.
        failures: by task on which a verdict is withheld for them, of whose items too many failed.
    """

    model: str
    against: str
    pairs: dict[str, PairedItems]
    differences: dict[str, AnyDifference]
    audits: dict[str, Sequence[AskedDifference]]
    failures: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, items: Items, asked: Asked, run: CapabilityRun, model: str, against: str) -> Self:
        """Pair two models by item.

        Args:
            items: of both, at least.
            asked: of both, at least.
            run: tasks and settings.
            model: the one in question.
            against: the one that it is held against.
        """
        auditor = Auditor(run.models, run.allowed)
        sides = cls(model, against, {}, {}, {}, {})
        for task in run.tasks:
            before, after = items.get((against, task.name)), items.get((model, task.name))
            if before is None or after is None or not len(pair := PairedItems.of(before, after)):
                continue
            sides.pairs[task.name] = pair
            generator = run.rng_for(task.name, model, against)
            sides.differences[task.name] = task.difference(pair, generator, level=run.suite.level)
            if too_many := _failures({model: after, against: before}, run.suite.failures):
                sides.failures[task.name] = too_many
            # In a plain prompt a description is text like any other.
            talked = any(run.models[name].chat_template not in (PLAIN, ONE_MESSAGE) for name in (model, against))
            both = asked[model, task.name], asked[against, task.name]
            found = auditor.find(
                (model, against),
                both,
                generates=task.kind in ("generation", "mixed"),
                describes=task.has_description and talked,
            )
            # Items lost on one side say nothing more where the failures are told themselves.
            sides.audits[task.name] = [
                each.model_copy(update={"withholds": False}) if too_many and each.name == LOST else each
                for each in found
            ]
        return sides


@dataclass(frozen=True, eq=False)
class Versus:
    """One model against another over all tasks that both have."""

    pairs: dict[str, PairedItems]
    contrasts: dict[str, Contrast]
    summary: Summary


def judge(
    family: Sequence[SideBySide], run: CapabilityRun, averages: Mapping[str, Summary], noise: NoiseFloor | None
) -> list[Versus]:
    """Judge one or more pairs of models, whose tests are adjusted together, on every task and over the suite.

    Args:
        family: the pairs.
        run: tasks and settings.
        averages: macro-averages of all models, or why there is none.
        noise: by which contrasts are marked, where it was measured.
    """
    keyed = {(place, task): found for place, sides in enumerate(family) for task, found in sides.differences.items()}
    pairs = {(place, task): family[place].pairs[task] for place, task in keyed}
    judged = contrasts(keyed, pairs, run.suite.level)
    summaries = suite_verdicts([_suite_difference(run, sides, averages) for sides in family], run.suite.level)
    return [
        _versus(run, sides, {task: judged[place, task] for task in sides.differences}, summary, noise)
        for place, (sides, summary) in enumerate(zip(family, summaries, strict=True))
    ]


def _versus(
    run: CapabilityRun,
    sides: SideBySide,
    judged: Mapping[str, Contrast],
    summary: Summary,
    noise: NoiseFloor | None,
) -> Versus:
    """One pair with what withholds its verdicts."""
    task_contrasts = {}
    for task, contrast in judged.items():
        if reasons := sides.failures.get(task, ()):
            contrast = contrast.model_copy(update={"reasons": reasons, "verdict": Verdict.NOT_COMPARABLE})
        task_contrasts[task] = audited(contrast, sides.audits[task])
    averaged = [task.name for task in run.averaged]
    if summary.verdict is not None and (reasons := _reasons(sides, averaged)):
        summary = summary.model_copy(update={"verdict": Verdict.NOT_COMPARABLE, "reasons": reasons})
    if summary.verdict is not None:
        generator = run.rng_for("pooled", sides.model, sides.against)
        pairs = {task: sides.pairs[task] for task in averaged}
        scores = {task: each for task, each in sides.differences.items() if isinstance(each, Difference)}
        summary = summary.model_copy(update={"pooled": pooled(pairs, scores, generator, run.suite.level)})
    if noise is not None:
        # Losses change with every batch.
        counted = {
            task.name: task_contrasts[task.name]
            for task in run.tasks
            if not task.measure.is_ratio and task.name in task_contrasts
        }
        marked, summary = mark_above_noise(counted, summary, noise)
        task_contrasts |= marked
    return Versus(sides.pairs, task_contrasts, summary)


def _failures(cells: Mapping[str, ScoredItems], accepted: float) -> tuple[str, ...]:
    """Of each model that failed on more items than are accepted, how many; models by name."""
    return tuple(
        f"{100 * cell.failed_share:.1f} % of {name}'s items failed, and {100 * accepted:g} % is accepted"
        for name, cell in cells.items()
        if cell.failed_share > accepted
    )


def _reasons(sides: SideBySide, averaged: Sequence[str]) -> tuple[str, ...]:
    """Why the suite's verdict is withheld: what withholds that of a task of it, with the tasks where it does."""
    tasks: dict[str, list[str]] = {}
    for task in averaged:
        for reason in (*sides.failures.get(task, ()), *withheld_for(sides.audits[task])):
            tasks.setdefault(reason, []).append(task)
    every = len(averaged)
    return tuple(
        reason if len(names) == every else f"{reason}, on {', '.join(names)}" for reason, names in tasks.items()
    )


def _suite_difference(
    run: CapabilityRun, sides: SideBySide, averages: Mapping[str, Summary]
) -> Summary | SuiteDifference:
    """A model over the suite against another; its summary without a verdict where either has no macro-average."""
    own, other = averages[sides.model], averages[sides.against]
    if own.withheld:
        return own
    if other.withheld:
        return own.model_copy(update={"withheld": f"{sides.against}: {other.withheld}"})
    unpaired = [task.name for task in run.averaged if task.name not in sides.differences]
    if unpaired:
        return own.model_copy(update={"withheld": f"no items in common with {sides.against} on {', '.join(unpaired)}"})
    found = [sides.differences[task.name] for task in run.averaged]
    return SuiteDifference.of(
        own,
        other,
        [each for each in found if isinstance(each, Difference)],
        run.suite,
        chance=float(np.mean([task.chance for task in run.averaged])),
        generator=run.rng_for("suite", sides.model, sides.against),
    )
