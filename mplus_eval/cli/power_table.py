"""What `mplus-eval power` prints: a table of the items that verdicts take, and what to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from mplus_eval.reports import formats

if TYPE_CHECKING:
    from mplus_eval.capability.observed import Observed
    from mplus_eval.capability.power import Need, PowerPlan
    from mplus_eval.spec.suite import Suite, SuiteTask

HEADINGS = ("\nItems", "Differ,\n%", "For\ndegraded", "For\npreserved")
OF_ALL_ITEMS = ("Power,\n%", "Detects,\npoints")
SEQUENTIAL = ("Asked, if\nlost", "Asked, if\nkept")
OF_SUITE = "For the\nsuite"


def power_table(suite: Suite, plan: PowerPlan) -> Table:
    """A row for each task, and one for the suite where there is more than one."""
    n_items = sum(need.assumed.items for need in plan.tasks)
    title = f"Suite {suite.name}: {formats.counted(len(plan.tasks), 'task')}, {formats.counted(n_items, 'item')}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("\nTask", no_wrap=True)
    further = SEQUENTIAL if plan.is_sequential else OF_ALL_ITEMS
    for heading in [*HEADINGS, *further, *([OF_SUITE] if plan.suite else [])]:
        table.add_column(heading, justify="right", no_wrap=True)
    for need in plan.tasks:
        table.add_row(*_row(need, need.assumed.name, plan))
    if plan.suite is not None:
        table.add_section()
        table.add_row(*_row(plan.suite, "the suite", plan), style="bold")
    return table


def _row(need: Need, name: str, plan: PowerPlan) -> list[str]:
    all_of_them = f"> {need.assumed.items:,}"
    wanted = [all_of_them if items is None else f"{items:,}" for items in (need.for_degraded, need.for_preserved)]
    further = [
        f"{_power(need.power_degraded)} / {_power(need.power_preserved)}",
        "–" if need.detectable is None else formats.size_in_points(need.detectable),
    ]
    if plan.is_sequential:
        further = ["" if items is None else f"{items:,}" for items in (need.sequential_lost, need.sequential_kept)]
    return [
        name,
        f"{need.assumed.items:,}",
        formats.percent(need.assumed.discordance),
        *wanted,
        *further,
        *([f"{need.for_suite:,}"] if plan.suite else []),
    ]


def _power(power: float) -> str:
    """Whole percent, and never 100.

    >>> _power(0.347), _power(0.9999), _power(0.001)
    ('35', '>99', '<1')
    """
    return ">99" if power > 0.99 else "<1" if power < 0.01 else f"{power * 100:.0f}"


def power_notes(
    plan: PowerPlan, tasks: Sequence[SuiteTask], observed: Mapping[str, Observed], from_run: Path | None
) -> list[str]:
    """What the columns mean, what cannot be decided, and what was assumed."""
    return [
        "",
        *_legend(plan),
        *_adjustment(plan),
        *_undecidable(plan),
        *_of_suite(plan),
        *_assumptions(tasks, observed, from_run),
    ]


def _legend(plan: PowerPlan) -> list[str]:
    losses, margins = (_values(plan, name) for name in ("loss", "margin"))
    further = (
        "Power: of all items, for the one and the other. Detects: the true loss that all items detect with 80 % power."
    )
    if plan.is_sequential:
        further = "Asked: items that --sequential asks on average, where so much is lost and where nothing is."
    return [
        f"For degraded: items that detect a true loss of {losses} with 80 % power. For preserved: items that rule out "
        f"a loss of {margins} with 80 % power where nothing is lost. {further} α = {formats.plain(plan.level)}."
    ]


def _values(plan: PowerPlan, name: str) -> str:
    """`2 points`, or `2 points (1 point over the suite)`, or `1 to 2 points`."""
    of_tasks = sorted({float(getattr(need.assumed, name)) for need in plan.tasks})
    said = formats.margin_in_points(of_tasks[-1])
    if len(of_tasks) > 1:
        said = f"{formats.margin(of_tasks[0])} to {said}"
    if plan.suite is None or [over := float(getattr(plan.suite.assumed, name))] == of_tasks:
        return said
    return f"{said} ({formats.margin_in_points(over)} over the suite)"


def _adjustment(plan: PowerPlan) -> list[str]:
    n_tests = len(plan.tasks) * plan.n_models
    if n_tests == 1:
        return []
    models = f" and {plan.n_models} models" if plan.n_models > 1 else ""
    suite = f"; the suite's test has α/{plan.n_models}" if plan.n_models > 1 else "; the suite's is one test"
    return [
        f"Tests are adjusted over {len(plan.tasks)} tasks{models}: figures are those of a single task that differs, "
        f"which needs α/{n_tests} (the worst case){suite if plan.suite else ''}."
    ]


def _undecidable(plan: PowerPlan) -> list[str]:
    tasks = [need for need in plan.tasks if not need.is_decidable]
    if not tasks:
        return ["All items together have 80 % power on every task."]
    if len(tasks) == len(plan.tasks) > 1:
        return ["No task has 80 % power for both verdicts, even with all its items."]
    tasks.sort(key=lambda need: need.power_degraded + need.power_preserved)
    named = ", ".join(
        f"{need.assumed.name} ({_power(need.power_degraded)} / {_power(need.power_preserved)} %)" for need in tasks
    )
    return [f"Below 80 % power even with all items (degraded / preserved): {named}."]


def _of_suite(plan: PowerPlan) -> list[str]:
    if (suite := plan.suite) is None:
        return []
    if suite.for_degraded is None or suite.for_preserved is None:
        powers = f"{_power(suite.power_degraded)} / {_power(suite.power_preserved)} %"
        return [f"The suite is below 80 % power even with all items: {powers}."]
    return [
        f"The suite's verdict takes {formats.counted(suite.for_suite, 'item')}, spread as in the last column: "
        f"compare --budget {suite.for_suite}."
    ]


def _assumptions(tasks: Sequence[SuiteTask], observed: Mapping[str, Observed], from_run: Path | None) -> list[str]:
    if from_run is None:
        clustered = [task.name for task in tasks if task.cluster]
        said = "Discordance is assumed; --from RUN takes that of a run."
        if clustered:
            said += (
                f" Items are taken as independent; those of {', '.join(clustered)} share passages, and may need more."
            )
        return [said]
    seen = [observed[task.name] for task in tasks if task.name in observed]
    models = ", ".join(dict.fromkeys(each.model for each in seen)) or "no model"
    lines = [
        f"Discordance and design effects are those of {models} in {from_run}, of each task the model that needs most."
    ]
    lines += [
        f"{task.name}: clusters of {each.cluster_size:.1f} items, design effect {each.effect:.2f} "
        f"({each.cautious_effect:.2f} for preserved)"
        + (f", ICC {formats.decimal(each.icc)}." if each.icc is not None else ".")
        for task in tasks
        if (each := observed.get(task.name)) and each.cluster_size > 1
    ]
    if absent := [task.name for task in tasks if task.name not in observed]:
        lines.append(f"Not in that run, and assumed by their kind: {', '.join(absent)}.")
    return lines
