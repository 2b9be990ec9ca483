"""`mplus-eval tasks`: what exists, what can be loaded here, and its data for offline use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.cli.options import DataDir, Suite, Tasks, TasksDir, Verbose

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.table import Table

    from mplus_eval.capability.items import LoadedTask
    from mplus_eval.spec.limit import Limit
    from mplus_eval.spec.prompt_sets import ShippedSet
    from mplus_eval.spec.suite import Suite as SuiteSpec
    from mplus_eval.spec.suite import SuiteTask

DEFAULT_SUITE = "mplus"

app = typer.Typer(help="List, check and fetch tasks.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_tasks(
    suite: Suite = None,
    every: Annotated[bool, typer.Option("--all", help="Every task that can be named, lm-eval's included.")] = False,
    tasks_dir: TasksDir = None,
) -> None:
    """Show the tasks of a suite: shots, metric, number of items."""
    from rich.console import Console

    from mplus_eval.capability.definitions import local_definitions, stock_definitions
    from mplus_eval.spec.prompt_sets import shipped_sets
    from mplus_eval.spec.suite import load_suite, shipped_suites

    chosen = load_suite(suite or DEFAULT_SUITE)
    if every:
        kinds = {task.name: "suite" for task in chosen.tasks}
        for definition in [*local_definitions(tasks_dir).values(), *stock_definitions().values()]:
            kinds.setdefault(definition.name, definition.kind.replace("py_task", "task"))
        typer.echo("\n".join(f"{kind:<6} {name}" for name, kind in sorted(kinds.items())))
        typer.echo("\n".join(f"set    {name}  {_told(shipped)}" for name, shipped in shipped_sets().items()))
        return
    console = Console()
    console.print(_table(chosen.tasks, f"Suite {chosen.name}: {chosen.description}".rstrip(": ")))
    if (settings := chosen.harmlessness) is not None:
        gated = [name for name, shipped in shipped_sets().items() if shipped.gated]
        sets = ", ".join(
            f"{prompts.name} ({prompts.source}{', gated' if prompts.set in gated else ''})"
            for prompts in settings.sources
        )
        scorers = ", ".join(settings.scorers)
        typer.echo(f"Toxicity: {sets}; {settings.samples} continuations each, scored by {scorers}.")
    if (talk := chosen.conversation) is not None:
        judges = ", ".join(talk.judges) or "a reward model, or --judge"
        typer.echo(f"Conversation: {talk.dialogues}, judged by {judges}.")
    typer.echo(
        f"Suites: {', '.join(shipped_suites())}. With --all: every task that --tasks can name, and every prompt set "
        "that a suite can (set: NAME)."
    )


@app.command("check")
def check_tasks(
    suite: Suite = None,
    tasks: Tasks = None,
    tasks_dir: TasksDir = None,
    data_dir: DataDir = None,
    limit: Annotated[
        str | None, typer.Option(metavar="N|first:N", help="Items for each leaf task, as in `compare`.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Load each task and print one of its prompts.

    Leaves with exit code 3 when one cannot be loaded.
    """
    from rich.console import Console

    from mplus_eval.errors import EXIT_CELLS_MISSING, SpecError
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.capability.items import load_each
    from mplus_eval.spec.suite import load_suite

    most = _limit(limit)
    chosen = _chosen(suite, tasks, tasks_dir, data_dir)
    console = Console(highlight=False, soft_wrap=True)
    failed = 0
    for result in load_each(chosen, data_dir=data_dir, tasks_dir=tasks_dir):
        if isinstance(result, SpecError):
            failed += 1
            console.print(f"failed  {result}", style="red", markup=False)
        else:
            _print_task(console, result, most)
    typer.echo(f"{len(chosen) - failed} of {len(chosen)} tasks can be loaded.")
    if tasks is None:
        n_wanted, n_faults = _check_prompts(console, load_suite(suite or DEFAULT_SUITE), data_dir, most)
        if n_wanted:
            typer.echo(f"{n_wanted - n_faults} of {n_wanted} prompt sets, scorers and dialogues can be had.")
        failed += n_faults
    if failed:
        raise typer.Exit(EXIT_CELLS_MISSING)


@app.command("fetch")
def fetch_tasks(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The mirror; give it to --data-dir later.")],
    suite: Suite = None,
    tasks: Tasks = None,
    tasks_dir: TasksDir = None,
    verbose: Verbose = False,
) -> None:
    """Mirror the datasets of tasks, for use without the hub.

    What is there already is left alone.
    """
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.data.mirror import WantedDataset, fetch
    from mplus_eval.pipeline.datasets import wanted_datasets
    from mplus_eval.spec.suite import load_suite

    chosen = _chosen(suite, tasks, tasks_dir)
    wanted = wanted_datasets(chosen, tasks_dir, load_suite(suite or DEFAULT_SUITE) if tasks is None else None)

    def say(dataset: WantedDataset, number: int) -> None:
        names = ", ".join(filter(None, dataset.configurations))
        typer.echo(f"[{number + 1}/{len(wanted)}] {dataset.identifier}" + (f" ({names})" if names else ""))

    fetch(wanted, to, say)
    count, them = ("1 dataset", "it") if len(wanted) == 1 else (f"{len(wanted)} datasets", "them")
    typer.echo(f"Done: {count} in {to}. Use {them} with --data-dir {to}")


def _chosen(
    suite: str | None, tasks: str | None, tasks_dir: Path | None, data_dir: Path | None = None
) -> Sequence[SuiteTask]:
    from mplus_eval.capability.settings import resolve_tasks
    from mplus_eval.errors import UsageError
    from mplus_eval.spec.suite import load_suite

    for option, folder in (("--tasks-dir", tasks_dir), ("--data-dir", data_dir)):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{option} {str(folder)!r}: no such directory")
    names = None if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()]
    if names == []:
        raise UsageError("--tasks is empty: name at least one task")
    return resolve_tasks(load_suite(suite or DEFAULT_SUITE), names, tasks_dir=tasks_dir)


def _limit(text: str | None) -> Limit | None:
    """The limit that was given.

    Raises:
        UsageError: it is none.
    """
    from pydantic import TypeAdapter, ValidationError

    from mplus_eval.errors import UsageError
    from mplus_eval.spec.limit import ACCEPTED, LimitField

    try:
        limit: Limit | None = TypeAdapter(LimitField).validate_python(text)
    except ValidationError:
        raise UsageError(f"--limit {text!r}: {ACCEPTED}") from None
    return limit


def _check_prompts(console: Console, suite: SuiteSpec, data_dir: Path | None, limit: Limit | None) -> tuple[int, int]:
    """Load what is asked besides tasks; return how much there is, and how much of it cannot be had."""
    from mplus_eval.conversation.items import DialogueSet
    from mplus_eval.errors import SpecError
    from mplus_eval.harmlessness.items import load_prompt_sets
    from mplus_eval.harmlessness.scorers import scorer_faults

    n_wanted = 0
    faults: list[str] = []
    if (settings := suite.harmlessness) is not None:
        loaded, faults = load_prompt_sets(settings, seed=0, limit=limit, data_dir=data_dir)
        faults += [fault for scorer in settings.scorers for fault in scorer_faults(scorer)]
        n_wanted += len(settings.sources) + len(settings.scorers)
        for prompts in loaded:
            console.print(f"ok      {prompts.name}: {len(prompts.prompts):,} prompts", style="green", markup=False)
    if (talk := suite.conversation) is not None:
        n_wanted += 1
        try:
            dialogues = DialogueSet.load(talk.dialogues, data_dir=data_dir, limit=limit, split=talk.split)
            console.print(f"ok      {talk.name}: {len(dialogues.dialogues):,} dialogues", style="green", markup=False)
        except SpecError as error:
            faults += [f"dialogues: {fault}" for fault in error.faults]
    for fault in faults:
        console.print(f"failed  {fault}", style="red", markup=False)
    return n_wanted, len(faults)


def _table(tasks: Sequence[SuiteTask], title: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("task", "lm-eval", "shots", "metric", "items", "kind"):
        justify: JustifyMethod = "right" if heading in ("shots", "items") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading != "lm-eval", overflow="fold")
    for task in tasks:
        shots = "own" if task.shots is None else str(task.shots)
        shots += " fixed" if task.examples == "fixed" and task.shots != 0 else ""
        items = f"{task.items:,}" if task.items else ""
        table.add_row(task.name, task.lm_eval, shots, task.metric or "own", items, task.kind or "")
    return table


def _told(shipped: ShippedSet) -> str:
    """One prompt set in a line: what it is, how large, under which terms."""
    gated = f"; gated: {shipped.page}" if shipped.gated else ""
    return f"{shipped.about} ({shipped.rows:,} rows, {shipped.licence}{gated})"


def _print_task(console: Console, task: LoadedTask, limit: Limit | None) -> None:
    from mplus_eval.capability.generate import build_requests
    from mplus_eval.capability.selection import Selection

    numbers = Selection.of({task.spec.name: task}, limit, None, 0).of_task(task)
    n_items = sum(map(len, numbers.values()))
    parts = f"{len(task.subtasks)} leaf tasks, " if len(task.subtasks) > 1 else ""
    console.print(
        f"ok      {task.spec.name}: {parts}{n_items:,} items, {task.kind}, {task.n_shots} shots, "
        f"{task.metric} ({task.filter}), by guessing {task.chance(numbers):.1%}",
        style="green",
        markup=False,
    )
    subtask = task.subtasks[0]
    first = build_requests(subtask, None, numbers=numbers[subtask.name][:1], chat=False)[0]
    console.print(f"  prompt of {subtask.item_id(first.doc_id)}:", markup=False)
    console.print(_indented(str(first.args[0])), markup=False)
    console.print(f"  target:\n{_indented(subtask.target_of(first.doc))}\n", markup=False)


def _indented(text: str) -> str:
    return "\n".join(f"  | {line}" for line in text.splitlines())
