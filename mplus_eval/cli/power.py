"""`mplus-eval power`: how many items verdicts take, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.cli.options import DataDir, Suite, Tasks, TasksDir, Verbose

if TYPE_CHECKING:
    from mplus_eval.capability.observed import Observed
    from mplus_eval.capability.power import Need, PowerPlan
    from mplus_eval.spec.suite import Suite as SuiteSpec
    from mplus_eval.spec.suite import SuiteTask

DEFAULT_SUITE = "mplus"
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
    """Say how many items a verdict takes, before any is asked.

    With 80 % power, by task and for the suite; no model is loaded.
    """
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.capability.observed import read_observed
    from mplus_eval.capability.power import assume, plan_power, sizes_of
    from mplus_eval.cli.power_table import power_notes, power_table
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
    console.print(power_table(chosen, plan))
    for line in power_notes(plan, wanted, observed, from_run):
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


def _json(suite: SuiteSpec, plan: PowerPlan, observed: Mapping[str, Observed]) -> str:
    import json
    from dataclasses import asdict

    from mplus_eval.statistics.power import POWER

    def told(need: Need) -> dict[str, object]:
        fields = asdict(need)
        assumed = fields.pop("assumed")
        return {**{key: value for key, value in assumed.items() if key != "name"}, **fields}

    document = {
        "suite": suite.name,
        "level": plan.level,
        "models": plan.n_models,
        "task_level": plan.task_level,
        "power": POWER,
        "tasks": {need.assumed.name: told(need) for need in plan.tasks},
        "whole_suite": None if plan.suite is None else told(plan.suite),
        "observed": {name: asdict(each) for name, each in observed.items()},
    }
    return json.dumps(document, indent=2)
