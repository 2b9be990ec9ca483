"""`mplus-eval export`: a finished run in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.options import Quiet


def export(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory of `compare`.")],
    kind: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="parquet, csv, lm-eval, eee, inspect or latex."),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; RUN_DIR/export/FORMAT when not given.", show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a finished run in the formats of other tools.

    As tables, files of lm-eval, Every Eval Ever, Inspect, or LaTeX.

    Example: mplus-eval export runs/2026-11-30-base-plus --format csv
    """
    from mplus_eval.exports import export as write

    written = write(run_directory, kind, output)
    if not quiet:
        for path in written:
            typer.echo(str(path))
