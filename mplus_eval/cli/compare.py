"""`mplus-eval compare`: from checkpoints to a report."""

from __future__ import annotations

from typing import Annotated

import typer

from mplus_eval.cli.options import Models, Quiet, Verbose
from mplus_eval.cli.running import run_and_show


def compare(
    context: typer.Context,
    models: Models = None,
    config: Annotated[
        str | None, typer.Option(help="Configuration: a YAML file or a shipped name (demo, mistral-plus).")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare checkpoints: what was lost or kept, in one report.

    Example: mplus-eval compare base=./base plus=./runs/plus --suite mplus --data-dir ./data
    """
    run_and_show(models or (), config, context.obj, verbose=verbose, quiet=quiet)
