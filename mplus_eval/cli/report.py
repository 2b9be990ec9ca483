"""`mplus-eval report`: render a run again from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mplus_eval.cli.options import Quiet
from mplus_eval.cli.publish import DryRun, LogTo, ModelCard, Push, publish
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
    short: Annotated[
        bool,
        typer.Option("--short", help="Also write report-short.md, which fits a comment on a pull request."),
    ] = False,
    log_to: LogTo = None,
    push: Push = None,
    dry_run: DryRun = False,
    model_card: ModelCard = None,
    quiet: Quiet = False,
) -> None:
    """Render a run's report again from what is stored.

    With --log-to, --push or --model-card the run goes there as it is stored, and is not rendered again.
    """
    from dataclasses import replace

    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.run import load
    from mplus_eval.reports import SHORT_REPORT, write_report

    silence_libraries()
    if publish(run_directory, log_to, push, model_card, dry_run=dry_run):
        return
    finished = load(run_directory)
    show(replace(finished, report=write_report(finished.path, items, is_short=short)), quiet=quiet)
    if short and not quiet:
        typer.echo(f"For a comment: {finished.path / SHORT_REPORT}")
