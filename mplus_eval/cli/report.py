"""`mplus-eval report`: render a run again from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mplus_eval.cli.options import Quiet
from mplus_eval.cli.running import show

ItemsChoice = Literal["all", "flips", "none"]


def report(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory of `compare`.")],
    items: Annotated[
        ItemsChoice | None,
        typer.Option(
            help="Items in the report: all; flips, those that changed or failed; none, a few examples. "
            "As the run was made when not given.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Render a run's report again from what is stored; nothing is evaluated."""
    from dataclasses import replace

    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.run import load
    from mplus_eval.reports import write_report

    silence_libraries()
    finished = load(run_directory)
    show(replace(finished, report=write_report(finished.path, items)), quiet=quiet)
