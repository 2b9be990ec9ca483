"""`mplus-eval power`: how many items verdicts take, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.cli.options import DataDir, Suite, Tasks, TasksDir, Verbose

if TYPE_CHECKING:
    from rich.table import Table

    from mplus_eval.capability.observed import Observed
    from mplus_eval.capability.power import Need, PowerPlan
    from mplus_eval.spec.suite import Suite as SuiteSpec
    from mplus_eval.spec.suite import SuiteTask

DEFAULT_SUITE = "mplus"
HEADINGS = ("\nItems", "Differ,\n%", "For\ndegraded", "For\npreserved")
OF_ALL_ITEMS = ("Power,\n%", "Detects,\npoints")
SEQUENTIAL = ("Asked, if\nlost", "Asked, if\nkept")
OF_SUITE = "For the\nsuite"
_FRACTION = "a fraction above 0 and below 1 is accepted (0.02 is 2 points)"


def power(
    suite: Suite = None,
    tasks: Tasks = None,
    effect: Annotated[
        float | None,
        typer.Option(help="True loss to be found, a fraction: 0.02 is 2 points. The margin when not given."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Margin of every task and of the suite, a fraction; the suite file's when not given."),
    ] = None,
    models: Annotated[int, typer.Option(min=1, help="Models whose tests are adjusted together.")] = 1,
    discordance: Annotated[
        float | None,
        typer.Option(
            help="Share of items on which two equally good models differ: 0.03 after a light touch. When not given, "
            "by the kind of task: choice 0.08, generation 0.15.",
        ),
    ] = None,
    from_run: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Run directory: discordance, clusters and noise as found there."),
    ] = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Also how many items `compare --sequential` asks on average.")
    ] = False,
    tasks_dir: TasksDir = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    verbose: Verbose = False,
) -> None:
    """Say how many items a verdict takes with 80 % power, by task and for the suite; no model is loaded."""
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.capability.observed import read_observed
    from mplus_eval.capability.power import assume, plan_power, sizes_of
    from mplus_eval.errors import SpecError
    from mplus_eval.spec.suite import load_suite
    from mplus_eval.store.run_directory import RunDirectory

    if faults := _faults(effect, margin, discordance, from_run, tasks_dir, data_dir):
        raise SpecError(faults)
    comparison, observed = read_observed(RunDirectory(from_run.expanduser())) if from_run else (None, {})
    chosen = load_suite(suite or _suite_of(comparison.suite if comparison else DEFAULT_SUITE))
    wanted = _tasks(chosen, tasks, tasks_dir)
    sizes = sizes_of(wanted, observed, data_dir=data_dir, tasks_dir=tasks_dir)
    assumed = assume(chosen, wanted, sizes, observed, loss=effect, margin=margin, discordance=discordance)
    suite_margin = margin or chosen.margin
    plan = plan_power(assumed, chosen.level, suite_margin, effect or suite_margin, models, sequential=sequential)
    if as_json:
        typer.echo(_json(chosen, plan, observed))
        return
    console = Console(highlight=False, soft_wrap=False)
    console.print(_table(chosen, plan))
    for line in _notes(plan, wanted, observed, from_run):
        console.print(line, markup=False)


def _faults(
    effect: float | None,
    margin: float | None,
    discordance: float | None,
    from_run: Path | None,
    tasks_dir: Path | None,
    data_dir: Path | None,
) -> list[str]:
    """What cannot be meant, a line each."""
    faults = [
        f"{option} {value:g}: {_FRACTION}"
        for option, value in (("--effect", effect), ("--margin", margin))
        if value is not None and not 0 < value < 1
    ]
    if discordance is not None and not 0 <= discordance < 1:
        faults.append(f"--discordance {discordance:g}: a fraction, 0 or above and below 1, is accepted")
    if discordance is not None and from_run is not None:
        faults.append("--discordance and --from both say how many items differ; one of them is accepted")
    for option, folder in (("--from", from_run), ("--tasks-dir", tasks_dir), ("--data-dir", data_dir)):
        if folder is not None and not folder.expanduser().is_dir():
            faults.append(f"{option} {str(folder)!r}: no such directory")
    return faults


def _suite_of(name: str) -> str:
    """The suite of a run, where it is a shipped one; a user's own is known by its name only."""
    from mplus_eval.errors import UsageError
    from mplus_eval.spec.suite import shipped_suites

    if name not in shipped_suites():
        raise UsageError(f"--from: the suite {name!r} of that run is not a shipped one; give its file with --suite")
    return name


def _tasks(suite: SuiteSpec, names: str | None, tasks_dir: Path | None) -> Sequence[SuiteTask]:
    """The tasks of the suite, or those named; a suite without tasks has nothing to plan."""
    from mplus_eval.errors import UsageError

    wanted = None if names is None else [name.strip() for name in names.split(",") if name.strip()]
    if wanted == []:
        raise UsageError("--tasks is empty: name at least one task")
    if wanted is None:
        if not suite.tasks:
            raise UsageError(f"suite {suite.name!r} has no tasks; name some with --tasks")
        return suite.tasks
    of_suite = {task.name: task for task in suite.tasks}
    if all(name in of_suite for name in wanted) and len(set(wanted)) == len(wanted):
        return [of_suite[name] for name in wanted]
    # Other names are lm-eval's, which takes a moment to be asked for them.
    from mplus_eval.capability.settings import resolve_tasks

    return resolve_tasks(suite, wanted, tasks_dir=tasks_dir)


def _table(suite: SuiteSpec, plan: PowerPlan) -> Table:
    from rich.table import Table

    from mplus_eval.reports import formats

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
    from mplus_eval.reports import formats

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


def _notes(
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
    from mplus_eval.reports import formats

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
    from mplus_eval.reports import formats

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
    from mplus_eval.reports import formats

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
    from mplus_eval.reports import formats

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


def _json(suite: SuiteSpec, plan: PowerPlan, observed: Mapping[str, Observed]) -> str:
    import json
    from dataclasses import asdict

    def told(need: Need) -> dict[str, object]:
        fields = asdict(need)
        assumed = fields.pop("assumed")
        return {**{key: value for key, value in assumed.items() if key != "name"}, **fields}

    document = {
        "suite": suite.name,
        "level": plan.level,
        "models": plan.n_models,
        "task_level": plan.task_level,
        "power": 0.8,
        "tasks": {need.assumed.name: told(need) for need in plan.tasks},
        "whole_suite": None if plan.suite is None else told(plan.suite),
        "observed": {name: asdict(each) for name, each in observed.items()},
    }
    return json.dumps(document, indent=2)
