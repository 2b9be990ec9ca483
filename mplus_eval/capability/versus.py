"""One model against another: contrasts on every task that both have, and a summary over the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mplus_eval.audit.differences import Auditor, audited, withheld_for
from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.macro_average import SuiteDifference, suite_verdicts
from mplus_eval.capability.noise_floor import mark_above_noise
from mplus_eval.capability.pooled import pooled
from mplus_eval.models.chat_format import PLAIN
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry, NoiseFloor, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.contrast import Difference, contrasts, find_difference, rng_for
from mplus_eval.statistics.estimate import ICC
from mplus_eval.statistics.pairing import PairedItems, ScoredItems

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
    """

    models: Mapping[str, ModelEntry]
    tasks: Sequence[TaskFacts]
    suite: Suite
    baseline: str
    pairs: str = "baseline"
    adjust: str = "model"
    seed: int = 0
    allowed: tuple[str, ...] = ()

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
    differences: dict[str, Difference]
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
            sides.differences[task.name] = find_difference(
                pair,
                higher_is_better=task.higher_is_better,
                margin=task.margin,
                generator=run.rng_for(task.name, model, against),
                level=run.suite.level,
                icc=task.icc,
                chance=task.chance,
                retain=task.retain,
            )
            if too_many := _failures({model: after, against: before}, run.suite.failures):
                sides.failures[task.name] = too_many
            # In a plain prompt a description is text like any other.
            talked = any(run.models[name].chat_template != PLAIN for name in (model, against))
            both = asked[model, task.name], asked[against, task.name]
            found = auditor.find(
                (model, against), both, generates=task.kind != "choice", describes=task.has_description and talked
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
    if summary.verdict is not None and (reasons := _reasons(sides)):
        summary = summary.model_copy(update={"verdict": Verdict.NOT_COMPARABLE, "reasons": reasons})
    if summary.verdict is not None:
        generator = run.rng_for("pooled", sides.model, sides.against)
        summary = summary.model_copy(
            update={"pooled": pooled(sides.pairs, sides.differences, generator, run.suite.level)}
        )
    if noise is not None:
        task_contrasts, summary = mark_above_noise(task_contrasts, summary, noise)
    return Versus(sides.pairs, task_contrasts, summary)


def _failures(cells: Mapping[str, ScoredItems], accepted: float) -> tuple[str, ...]:
    """Of each model that failed on more items than are accepted, how many; models by name."""
    return tuple(
        f"{100 * cell.failed_share:.1f} % of {name}'s items failed, and {100 * accepted:g} % is accepted"
        for name, cell in cells.items()
        if cell.failed_share > accepted
    )


def _reasons(sides: SideBySide) -> tuple[str, ...]:
    """Why the suite's verdict is withheld: what withholds that of a task, with the tasks where it does."""
    tasks: dict[str, list[str]] = {}
    for task, found in sides.audits.items():
        for reason in (*sides.failures.get(task, ()), *withheld_for(found)):
            tasks.setdefault(reason, []).append(task)
    every = len(sides.audits)
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
    unpaired = [task.name for task in run.tasks if task.name not in sides.differences]
    if unpaired:
        return own.model_copy(update={"withheld": f"no items in common with {sides.against} on {', '.join(unpaired)}"})
    return SuiteDifference.of(
        own,
        other,
        list(sides.differences.values()),
        run.suite,
        chance=float(np.mean([task.chance for task in run.tasks])),
        generator=run.rng_for("suite", sides.model, sides.against),
    )
