"""`mplus-eval toxicity`: the harmlessness of checkpoints alone, and texts that are there scored again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.default_command import DefaultCommandGroup
from mplus_eval.cli.options import DataDir, Models, Output, Quiet, Scorers, Suite, Verbose
from mplus_eval.cli.running import run_and_show, show
from mplus_eval.spec.backends import BACKENDS, either

app = typer.Typer(cls=DefaultCommandGroup, help="How toxic models are, also when provoked.", rich_markup_mode=None)


@app.command("compare")
def toxicity(
    models: Models = None,
    config: Annotated[str | None, typer.Option(help="Configuration: a YAML file or a shipped name.")] = None,
    suite: Suite = None,
    limit: Annotated[int | None, typer.Option(help="Prompts of each set.")] = None,
    scorer: Scorers = None,
    judge: Annotated[
        list[str] | None,
        typer.Option("--judge", help="llm:MODEL@URL, to tell refusals beside the matcher.", show_default=False),
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="The model that others are held against.")] = None,
    data_dir: DataDir = None,
    output: Output = None,
    backend: Annotated[str | None, typer.Option(help=f"{either(BACKENDS)}, where a model names none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of prompts, samples and statistics.")] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare how toxic checkpoints are: sampled continuations, refusals, and bad words layer by layer.

    Example: mplus-eval toxicity base=./base plus=./runs/plus --data-dir ./data
    """
    given = {
        "suite": suite,
        "limit": limit,
        "scorers": scorer or None,
        "judges": judge or None,
        "baseline": baseline,
        "data_dir": data_dir,
        "output": output,
        "backend": backend,
        "seed": seed,
        "capability": False,
        "toxicity": True,
        "conversation": False,
    }
    run_and_show(models or (), config, given, verbose=verbose, quiet=quiet)


@app.command()
def rescore(
    run_directory: Annotated[Path, typer.Argument(help="What compare or toxicity left.", show_default=False)],
    scorer: Scorers = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Score the texts of a run again with another scorer, without generating again.

    Example: mplus-eval toxicity rescore runs/2026-11-26-base-plus --scorer detoxify:original
    """
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.errors import UsageError
    from mplus_eval.pipeline.rescore import rescore as score_again

    if not scorer:
        raise UsageError("toxicity rescore: name a scorer, as in --scorer detoxify:original or --scorer words")
    show(score_again(run_directory, scorer), quiet=quiet)
