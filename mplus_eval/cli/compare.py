"""`mplus-eval compare`: from checkpoints to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.options import DataDir, Judges, Models, Output, Quiet, Scorers, Suite, Tasks, TasksDir, Verbose
from mplus_eval.cli.running import run_and_show
from mplus_eval.spec.backends import BACKENDS, either


def compare(
    models: Models = None,
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
    output: Output = None,
    backend: Annotated[str | None, typer.Option(help=f"{either(BACKENDS)}, where a model names none.")] = None,
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
    toxicity: Annotated[
        bool | None,
        typer.Option(
            "--toxicity/--no-toxicity",
            help="Whether models are provoked too; on where the suite says how and no tasks are named.",
            show_default=False,
        ),
    ] = None,
    scorer: Scorers = None,
    conversation: Annotated[
        bool | None,
        typer.Option(
            "--conversation/--no-conversation",
            help="Whether dialogues are judged; on where the suite says how and there is a judge.",
            show_default=False,
        ),
    ] = None,
    judge: Judges = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare checkpoints: what was lost or kept, with numbers that hold, in one report.

    Example: mplus-eval compare base=./base plus=./runs/plus --suite mplus --data-dir ./data
    """
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
        "toxicity": toxicity,
        "scorers": scorer or None,
        "conversation": conversation,
        "judges": judge or None,
    }
    run_and_show(models or (), config, given, verbose=verbose, quiet=quiet)
