"""`mplus-eval toxicity`: the harmlessness of checkpoints alone, and texts that are there scored again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.default_command import DefaultCommandGroup
from mplus_eval.cli.options import Config, Models, Quiet, Scorers, Verbose, spec_command
from mplus_eval.cli.running import run_and_show, show

app = typer.Typer(cls=DefaultCommandGroup, help="How toxic models are, also when provoked.", rich_markup_mode=None)


@app.command("compare", cls=spec_command("toxicity", "suite", "limit", "scorers", "judges"))
def toxicity(
    context: typer.Context,
    models: Models = None,
    config: Config = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare how toxic checkpoints are, also when provoked.

    By sampled continuations, refusals, and bad words layer by layer.

    Example: mplus-eval toxicity base=./base plus=./runs/plus --data-dir ./data
    """
    given = {**context.obj, "capability": False, "toxicity": True, "conversation": False}
    run_and_show(models or (), config, given, verbose=verbose, quiet=quiet)


@app.command()
def rescore(
    run_directory: Annotated[Path, typer.Argument(help="What compare or toxicity left.", show_default=False)],
    scorer: Scorers = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Score the texts of a run again with another scorer.

    Nothing is generated again.

    Example: mplus-eval toxicity rescore runs/2026-11-26-base-plus --scorer detoxify:original
    """
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.errors import UsageError
    from mplus_eval.pipeline.rescore import rescore as score_again

    if not scorer:
        raise UsageError("toxicity rescore: name a scorer, as in --scorer detoxify:original or --scorer words")
    show(score_again(run_directory, scorer), quiet=quiet)
