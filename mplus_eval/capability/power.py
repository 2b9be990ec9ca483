"""How many items verdicts take, before anything is asked: by task, and for the suite with its items spread best.

Nothing is loaded for it but the suite file, and the data of tasks whose size that does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mplus_eval.capability.observed import Observed
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import Suite, SuiteTask
from mplus_eval.statistics.allocation import DISCORDANCE, LEAST_ITEMS, allocate
from mplus_eval.statistics.expected_items import expected_items
from mplus_eval.statistics.power import (
    POWER,
    detectable,
    items_for_degraded,
    items_for_preserved,
    power_for_degraded,
    power_for_preserved,
)


@dataclass(frozen=True)
class Assumed:
    """What is taken to be true of one task.

    Attributes:
        items: how many the task has.
        discordance: share of items on which two models differ that are equally good.
        effect: design effect: how many items are worth one that stands alone.
        cautious_effect: the same where a loss of the margin is to be excluded.
        loss: the true loss that is to be found, a fraction.
        margin: the loss that is to be excluded, a fraction.
    """

    name: str
    items: int
    discordance: float
    effect: float
    cautious_effect: float
    loss: float
    margin: float


@dataclass(frozen=True)
class Need:
    """What a verdict takes; of the suite, items of all tasks together.

    Attributes:
        for_degraded: items that show the loss with 80 % power, also where there are fewer; None of a suite whose items
            do not do it.
        for_preserved: items that exclude the margin with 80 % power where nothing is lost, alike.
        power_degraded: the power of all items there are.
        power_preserved: the same.
        detectable: the loss that all items show with 80 % power; None where they show none.
        for_suite: items of the task that decide the suite's verdict either way, spread best; all, if none do.
        sequential_kept: mean items asked with `--sequential` where nothing is lost; None where that was not wanted.
        sequential_lost: the same where the loss is true.
    """

    assumed: Assumed
    for_degraded: int | None
    for_preserved: int | None
    power_degraded: float
    power_preserved: float
    detectable: float | None
    for_suite: int
    sequential_kept: int | None = None
    sequential_lost: int | None = None

    @property
    def is_decidable(self) -> bool:
        """Whether all items together have 80 % power for both."""
        return min(self.power_degraded, self.power_preserved) >= POWER


@dataclass(frozen=True)
class PowerPlan:
    """The needs of all tasks and of the suite.

    Attributes:
        level: of a family of tests.
        n_models: whose tests are adjusted together.
        task_level: of one task's test, as Holm asks it of a lone difference: level over tasks and models.
        suite: None where there is one task only.
    """

    level: float
    n_models: int
    task_level: float
    tasks: tuple[Need, ...]
    suite: Need | None

    @property
    def is_sequential(self) -> bool:
        """Whether it was found how many items `--sequential` asks."""
        return all(need.sequential_kept is not None for need in self.tasks)


def assume(
    suite: Suite,
    tasks: Sequence[SuiteTask],
    sizes: Mapping[str, tuple[int, str]],
    observed: Mapping[str, Observed],
    *,
    loss: float | None = None,
    margin: float | None = None,
    discordance: float | None = None,
) -> list[Assumed]:
    """Put together what is given, observed or usual.

    Args:
        suite: its margins are used.
        tasks: of it, or others.
        sizes: items and kind by task.
        observed: what an earlier run showed, by task.
        loss: of every task; its margin when absent.
        margin: of every task; the suite file's when absent.
        discordance: of every task; when absent, what was observed, else what is usual for the task's kind.
    """
    assumed = []
    for task in tasks:
        items, kind = sizes[task.name]
        seen = observed.get(task.name)
        own_margin = margin or task.margin or suite.task_margin
        usual = DISCORDANCE[kind] if seen is None else seen.planned_discordance
        assumed.append(
            Assumed(
                name=task.name,
                items=items,
                discordance=usual if discordance is None else discordance,
                effect=1.0 if seen is None else seen.effect,
                cautious_effect=1.0 if seen is None else seen.cautious_effect,
                loss=loss or own_margin,
                margin=own_margin,
            )
        )
    return assumed


def plan_power(
    tasks: Sequence[Assumed],
    level: float,
    suite_margin: float,
    suite_loss: float,
    n_models: int = 1,
    *,
    sequential: bool = False,
) -> PowerPlan:
    """Find what the verdicts of some tasks take, and the suite's.

    Args:
        tasks: what is taken to be true of them.
        level: of a family of tests.
        suite_margin: non-inferiority margin of the macro-average.
        suite_loss: the true loss of the macro-average that is to be found.
        n_models: models whose tests are adjusted together.
        sequential: whether to find how many items `--sequential` asks, which is simulated.
    """
    task_level = level / (len(tasks) * n_models)
    suite, spread = None, [task.items for task in tasks]
    if len(tasks) > 1:
        suite, spread = _of_suite(tasks, level / n_models, suite_margin, suite_loss)
    needs = [_of_task(task, task_level, share) for task, share in zip(tasks, spread, strict=True)]
    if sequential:
        needs = [_with_sequential(need, task_level) for need in needs]
    return PowerPlan(level, n_models, task_level, tuple(needs), suite)


def sizes_of(
    tasks: Sequence[SuiteTask],
    observed: Mapping[str, Observed],
    *,
    data_dir: Path | None,
    tasks_dir: Path | None,
) -> dict[str, tuple[int, str]]:
    """Items and kind by task: as the suite file says, else as an earlier run had it, else as the data are.

    Raises:
        SpecError: with a line for each task whose data cannot be loaded.
    """
    sizes, faults, unknown = {}, [], []
    for task in tasks:
        seen = observed.get(task.name)
        if task.kind == "text":
            faults.append(_of_ratio(task.name))
            continue
        items, kind = task.items or (seen.n_items if seen else None), task.kind or (seen.kind if seen else None)
        if items and kind:
            sizes[task.name] = (items, kind)
        else:
            unknown.append(task)
    if unknown:
        from mplus_eval.capability.items import load_each

        for task, loaded in zip(unknown, load_each(unknown, data_dir=data_dir, tasks_dir=tasks_dir), strict=True):
            if isinstance(loaded, SpecError):
                faults.append(f"task {task.name!r}: its number of items is not known; {loaded.faults[0]}")
            else:
                if loaded.measure.is_ratio:
                    faults.append(_of_ratio(task.name))
                sizes[task.name] = (loaded.n_docs, loaded.kind)
    if faults:
        raise SpecError(faults)
    return sizes


def _of_task(task: Assumed, level: float, for_suite: int) -> Need:
    discordance, effect, cautious = task.discordance, task.effect, task.cautious_effect
    return Need(
        assumed=task,
        for_degraded=items_for_degraded(discordance, task.loss, level, effect=effect),
        for_preserved=items_for_preserved(discordance, task.margin, level, effect=cautious),
        power_degraded=power_for_degraded(task.items, discordance, task.loss, level, effect),
        power_preserved=power_for_preserved(task.items, discordance, task.margin, level, effect=cautious),
        detectable=detectable(task.items, discordance, level, effect=effect),
        for_suite=for_suite,
    )


def _with_sequential(need: Need, level: float) -> Need:
    task = need.assumed

    def asked(loss: float, effect: float) -> int:
        return expected_items(task.items, task.discordance, loss, task.margin, level, effect)

    return replace(
        need, sequential_kept=asked(0.0, task.cautious_effect), sequential_lost=asked(task.loss, task.effect)
    )


def _of_suite(tasks: Sequence[Assumed], level: float, margin: float, loss: float) -> tuple[Need, list[int]]:
    """The suite's need, and the items of each task that are enough for both of its verdicts."""
    discordance = sum(task.discordance for task in tasks) / len(tasks)
    whole = [task.items for task in tasks]
    effects, cautious = [task.effect for task in tasks], [task.cautious_effect for task in tasks]

    def degraded(items: Sequence[int]) -> float:
        return power_for_degraded(_independent_pairs(tasks, effects, items), discordance, loss, level)

    def preserved(items: Sequence[int]) -> float:
        return power_for_preserved(_independent_pairs(tasks, cautious, items), discordance, margin, level)

    for_degraded, for_preserved = _fewest(tasks, degraded), _fewest(tasks, preserved)
    both = [budget for budget in (for_degraded, for_preserved) if budget is not None]
    need = Need(
        assumed=Assumed("suite", sum(whole), discordance, 1.0, 1.0, loss, margin),
        for_degraded=for_degraded,
        for_preserved=for_preserved,
        power_degraded=degraded(whole),
        power_preserved=preserved(whole),
        detectable=detectable(_independent_pairs(tasks, effects, whole), discordance, level),
        for_suite=max(both) if len(both) == 2 else sum(whole),
    )
    return need, _spread(tasks, need.for_suite)


def _fewest(tasks: Sequence[Assumed], power_of: Callable[[Sequence[int]], float]) -> int | None:
    """The smallest budget that has 80 % power when it is spread best; None where all items have not."""
    short, enough = 0, sum(task.items for task in tasks)
    if power_of([task.items for task in tasks]) < POWER:
        return None
    least = sum(min(LEAST_ITEMS, task.items) for task in tasks)
    while enough - short > 1:
        budget = (short + enough) // 2
        shown = budget >= least and power_of(_spread(tasks, budget)) >= POWER
        short, enough = (short, budget) if shown else (budget, enough)
    return enough


def _spread(tasks: Sequence[Assumed], budget: int) -> list[int]:
    return allocate(
        [task.items for task in tasks],
        [task.discordance for task in tasks],
        [task.cautious_effect for task in tasks],
        budget=budget,
        least=[LEAST_ITEMS] * len(tasks),
    )


def _of_ratio(name: str) -> str:
    return f"task {name!r}: items are counted for scores, and its value is a ratio of losses; leave it out with --tasks"


def _independent_pairs(tasks: Sequence[Assumed], effects: Sequence[float], items: Sequence[int]) -> float:
    """How many independent pairs of the mean discordance know the mean as well as these items of each task.

    The variance of the macro-average is Σ q·D/n / T² over T tasks.
    """
    alike = [max(task.discordance, 1e-9) for task in tasks]
    variance = sum(q * effect / n for q, effect, n in zip(alike, effects, items, strict=True)) / len(tasks) ** 2
    return sum(alike) / len(tasks) / variance
