"""`mplus-eval compare`: from checkpoints to a report."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.options import DataDir, Quiet, Suite, Tasks, TasksDir, Verbose


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=SOURCE[,key=value…]]…",
            help="Models: a directory, a hub id or a server's URL each. None: the demo's models.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="Configuration: a YAML file or a shipped name (demo, mistral-plus).")
    ] = None,
    suite: Suite = None,
    tasks: Tasks = None,
    tasks_dir: TasksDir = None,
    limit: Annotated[int | None, typer.Option(help="Items for each leaf task (each subject).")] = None,
    trajectory: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Training directory: adds its model, saved steps and base.",
            show_default=False,
        ),
    ] = None,
    trajectory_limit: Annotated[
        int | None, typer.Option(help="Items for each leaf task of saved steps; at most --limit.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The model that others are held against; the one of role base, else the first.")
    ] = None,
    data_dir: DataDir = None,
    output: Annotated[Path | None, typer.Option(help="Run directory; runs/<date>-<names> when not given.")] = None,
    backend: Annotated[str | None, typer.Option(help="hf, vllm or openai, where a model names none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the statistics' random draws.")] = None,
    pairs: Annotated[str | None, typer.Option(help="baseline, or all for every pair of models.")] = None,
    noise_floor: Annotated[
        bool | None,
        typer.Option(
            "--noise-floor/--no-noise-floor",
            help="Ask the baseline twice, and show how many items flip with another batch size.",
            show_default=False,
        ),
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare checkpoints: what was lost or kept, with numbers that hold, in one report.

    Example: mplus-eval compare base=./base plus=./runs/plus --suite mplus --data-dir ./data
    """
    from rich.console import Console

    from mplus_eval.errors import EXIT_CELLS_MISSING
    from mplus_eval.progress import ConsoleProgress
    from mplus_eval.quiet import silence_libraries
    from mplus_eval.reports.terminal import summary
    from mplus_eval.run import run
    from mplus_eval.spec import draft_spec

    silence_libraries(verbose)
    if not verbose:
        warnings.filterwarnings("ignore")
    given = {
        "suite": suite,
        "tasks": tasks,
        "tasks_dir": tasks_dir,
        "limit": limit,
        "trajectory": trajectory or None,
        "trajectory_limit": trajectory_limit,
        "baseline": baseline,
        "data_dir": data_dir,
        "output": output,
        "backend": backend,
        "seed": seed,
        "pairs": pairs,
        "noise_floor": noise_floor,
    }
    spec, faults = draft_spec(models or (), config, given)
    with ConsoleProgress(Console(stderr=True, quiet=quiet)).shown() as progress:
        finished = run(spec, progress, faults=faults)
    if not quiet:
        Console().print(summary(finished.comparison))
        typer.echo(f"\nReport: {finished.path / 'report.html'}")
    noise = finished.comparison.noise_floor
    if finished.comparison.missing or (noise is not None and noise.missing):
        raise typer.Exit(EXIT_CELLS_MISSING)
