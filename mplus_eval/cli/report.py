"""`mplus-eval report`: render a run again from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.options import Quiet
from mplus_eval.cli.running import show


def report(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory of `compare`.")],
    quiet: Quiet = False,
) -> None:
    """Render a run's report again from what is stored."""
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.run import load
    from mplus_eval.reports import write_report

    silence_libraries()
    finished = load(run_directory)
    write_report(finished.path)
    show(finished, quiet=quiet)
