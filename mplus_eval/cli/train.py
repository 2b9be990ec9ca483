"""`mplus-eval train`: from a base and preference pairs to checkpoints that a comparison reads."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.cli.options import DataDir, Quiet, Verbose

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from mplus_eval.training.recipe import Recipe


class What(StrEnum):
    """What to train."""

    REWARD = "reward"
    SFT = "sft"
    RLHF = "rlhf"
    ALL = "all"


def train(
    what: Annotated[What, typer.Argument(help="The reward model, the supervised models, the RLHF models, or all.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]…", help="Fields to replace, such as rlhf.plus.steps=20.", show_default=False
        ),
    ] = None,
    config: Annotated[
        str, typer.Option(help="Recipe: a YAML file or a shipped name (demo, mistral-7b-lora, …).")
    ] = "demo",
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare what was trained with the base, in a report.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check all but the weights; print memory, tokens, time.")
    ] = False,
    data_dir: DataDir = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Train a reward model, SFT rivals, and RLHF from the base.

    The same command goes on where a stopped one was. Example: mplus-eval train all --config demo --compare
    """
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    if not verbose:
        warnings.filterwarnings("ignore")
    from mplus_eval.training.recipe import load_recipe

    recipe = load_recipe(config, overrides or ())
    if check:
        from mplus_eval.training.check import check_recipe
        from mplus_eval.training.check_table import render

        Console().print(render(check_recipe(recipe, data_dir)))
        return
    stages = _stages(what, recipe)
    if compare or any(stage.evaluate_every for stage in recipe.rlhf.values()):
        from mplus_eval.training.evaluation import check_evaluation

        check_evaluation(recipe)
    _train(recipe, stages, data_dir, Console(stderr=True, quiet=quiet))
    # In a group that this command started, the process that started it has the last word.
    if "RANK" not in os.environ:
        _report(recipe, stages, compare=compare, quiet=quiet)


def _stages(what: What, recipe: Recipe) -> list[str]:
    from mplus_eval.errors import UsageError

    chosen = {
        What.REWARD: ["reward"] if recipe.reward else [],
        What.SFT: list(recipe.sft),
        What.RLHF: list(recipe.rlhf),
        What.ALL: list(recipe.stages),
    }[what]
    if not chosen:
        raise UsageError(f"train {what.value}: the recipe has no `{what.value}`; it has {', '.join(recipe.stages)}")
    return chosen


def _train(recipe: Recipe, stages: Sequence[str], data_dir: Path | None, console: Console) -> None:
    """Train, in this process or in a group of them that is started here."""
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.training.launch import is_main, relaunch

    arguments = [argument for argument in sys.argv[2:] if argument != "--compare"]
    if command := relaunch(recipe, arguments):
        group = subprocess.run(command, check=False)
        if group.returncode:
            raise typer.Exit(group.returncode)
        return
    from mplus_eval.pipeline.trained import evaluate_trajectory
    from mplus_eval.training.train import train as run_training

    with ConsoleProgress(console).shown() as progress:
        run_training(
            recipe,
            stages,
            progress=progress.prepare if is_main() else None,
            say=lambda sentence: console.print(f"warning: {sentence}", markup=False, highlight=False),
            data_dir=data_dir,
            evaluate=evaluate_trajectory,
        )


def _report(recipe: Recipe, stages: Sequence[str], *, compare: bool, quiet: bool) -> None:
    """Show what was trained, a row a model, and compare it with the base."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mplus_eval.errors import EXIT_CELLS_MISSING
    from mplus_eval.pipeline.progress import ConsoleProgress, duration
    from mplus_eval.records.training import read_record

    if not quiet:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title, justify in (("Model", "left"), ("Method", "left"), ("Steps", "right"), ("KL, nats", "right"),
                               ("Ends turn", "right"), ("Held-out accuracy", "right"), ("Time", "right")):  # fmt: skip
            table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for record in filter(None, (read_record(recipe.output / name) for name in stages)):
            kl = f"{record.dose.kl_answers:.2f}" if record.dose else "–"
            ends = f"{100 * record.behaviour.end_of_turn_rate:.0f} %" if record.behaviour else "–"
            accuracy = f"{100 * record.quality['accuracy']:.0f} %" if "accuracy" in record.quality else "–"
            cells = (record.name, record.algorithm, str(record.step), kl, ends, accuracy, duration(record.seconds))
            table.add_row(*map(Text, cells))
        Console().print(table)
        typer.echo(f"\nCheckpoints: {recipe.output}")
    if not compare:
        return
    from mplus_eval.pipeline.trained import compare_trained
    from mplus_eval.reports.terminal import summary

    with ConsoleProgress(Console(stderr=True, quiet=quiet)).shown() as progress:
        run = compare_trained(recipe, progress, sys.argv)
    if not quiet:
        Console().print(summary(run.comparison))
        typer.echo(f"\nReport: {run.path / 'report.html'}")
    if run.comparison.missing:
        raise typer.Exit(EXIT_CELLS_MISSING)
