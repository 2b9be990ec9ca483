"""`mplus-eval plan`: what a comparison would take, without making it."""

from __future__ import annotations

import typer

from mplus_eval.cli.options import Config, Models, Quiet, Verbose
from mplus_eval.cli.running import plan_and_show


def plan(
    context: typer.Context,
    models: Models = None,
    config: Config = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Say what a comparison will take: tokens, time, disk, price.

    Takes what compare takes. Models are loaded and measured for half a minute, and no run directory is made.

    Example: mplus-eval plan base=./base plus=./runs/plus --suite mplus --data-dir ./data
    """
    plan_and_show(models or (), config, context.obj, measures=True, verbose=verbose, quiet=quiet)
