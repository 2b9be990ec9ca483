"""`mplus-eval contamination`: had a model seen the items before it was asked?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.cli.options import Config, DataDir, Models, Quiet, Suite, Tasks, TasksDir, Verbose

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mplus_eval.records.contamination import Contamination, Overlap, SeenTest


def contamination(
    models: Models = None,
    config: Config = None,
    suite: Suite = None,
    tasks: Tasks = None,
    tasks_dir: TasksDir = None,
    data_dir: DataDir = None,
    reference: Annotated[
        str | None, typer.Option(help="A model among them that cannot have seen the items; compared with it.")
    ] = None,
    paraphrases: Annotated[
        Path | None, typer.Option(help="JSON lines: task, item_id, and text, the question in other words.")
    ] = None,
    corpus: Annotated[
        list[Path] | None, typer.Option(help="Texts that may hold the items: a file or folder; may be repeated.")
    ] = None,
    corpus_field: Annotated[str, typer.Option(help="Field of its rows that holds the text.")] = "text",
    shards: Annotated[int, typer.Option(min=1, help="Runs of items of each task, at most.")] = 50,
    orders: Annotated[int, typer.Option(min=1, max=23, help="Other orders of each.")] = 20,
    items: Annotated[int, typer.Option(min=1, help="Items of each task whose versions are compared, at most.")] = 200,
    length: Annotated[int, typer.Option(min=32, help="Tokens of a text, at most.")] = 1024,
    seed: Annotated[int, typer.Option(min=0, help="Of orders and of the tests.")] = 0,
    into: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Put the flags into that run's comparison and report.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Say whether models had seen a task's items before.

    Example: mplus-eval contamination plus=./runs/plus base=./base --reference base --tasks mmlu,gsm8k
    """
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.contamination import check_contamination, store
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.pipeline.run import load
    from mplus_eval.spec.draft import draft_spec

    silence_libraries(verbose)
    if into is not None:
        load(into)
    options = {"suite": suite, "tasks": tasks, "tasks_dir": tasks_dir, "data_dir": data_dir, "seed": seed}
    only = {"toxicity": False, "conversation": False}
    spec, faults = draft_spec(models or (), config, {**options, **only})
    with ConsoleProgress(Console(stderr=True, quiet=quiet), verbose=verbose).shown() as progress:
        found = check_contamination(
            spec,
            faults,
            n_shards=shards,
            n_orders=orders,
            n_items=items,
            length=length,
            reference=reference,
            paraphrases=paraphrases,
            corpus=corpus or (),
            corpus_field=corpus_field,
            progress=progress,
        )
    if into is not None:
        store(found, into)
    if not quiet:
        Console().print(render(found))


def render(found: Contamination) -> RenderableType:
    """A row for each model and task, a row for each task that was looked for in a corpus, and what p-values mean."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    if found.models:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("Model", "Task", "Item order", "Min-20 %", "Flag"):
            table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=24)
        for model, of_model in found.models.items():
            for task, each in of_model.items():
                flag = "seen" if each.flagged else "–"
                table.add_row(*map(Text, (model, task, _told(each.order), _told(each.min_k), flag)))
        parts.append(table)
        parts.append(Text(f"p-values over all tests of a model (Holm); seen: below {found.level:g}."))
    if found.overlap:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("Task", "Items", "A run in the corpus", "Most of it"):
            table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=32)
        for task, overlap in found.overlap.items():
            table.add_row(*map(Text, (task, f"{overlap.n_items:,}", *_shares(overlap))))
        parts.append(table)
    return Group(*parts)


def _told(test: SeenTest | None) -> str:
    return "–" if test is None else f"p = {test.p_adjusted:.3f}" if test.p_adjusted >= 0.001 else "p < 0.001"


def _shares(overlap: Overlap) -> tuple[str, str]:
    n = max(overlap.n_items - overlap.n_short, 1)
    return f"{100 * overlap.n_any / n:.1f} %", f"{100 * overlap.n_most / n:.1f} %"
