"""What `compare`, `toxicity` and `conversation` do with their options: run, print the summary."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mplus_eval.pipeline.run import Run


def run_and_show(
    models: Sequence[str], config: str | None, given: Mapping[str, object], *, verbose: bool, quiet: bool
) -> None:
    """Run a comparison and print its summary.

    Args:
        models: as on the command line.
        config: a YAML file or a shipped name.
        given: the options that `draft_spec` takes.
        verbose: whether libraries may speak.
        quiet: whether nothing is printed.
    """
    from rich.console import Console

    from mplus_eval.errors import EXIT_CELLS_MISSING
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.pipeline.run import run
    from mplus_eval.spec.draft import draft_spec

    silence_libraries(verbose)
    if not verbose:
        warnings.filterwarnings("ignore")
    spec, faults = draft_spec(models, config, given)
    with ConsoleProgress(Console(stderr=True, quiet=quiet), verbose=verbose).shown() as progress:
        finished = run(spec, progress, faults=faults)
    show(finished, quiet=quiet)
    noise = finished.comparison.noise_floor
    if finished.comparison.missing or (noise is not None and noise.missing):
        raise typer.Exit(EXIT_CELLS_MISSING)
    end_as_judged(finished)


def end_as_judged(finished: Run) -> None:
    """End with the exit code of missing cells where a judge gave too few verdicts."""
    from mplus_eval.errors import EXIT_CELLS_MISSING

    if finished.comparison.unjudged:
        raise typer.Exit(EXIT_CELLS_MISSING)


def show(finished: Run, *, quiet: bool) -> None:
    """Print the summary of a run, where its report is, and last of all what no judge decided."""
    from rich.console import Console

    from mplus_eval.reports.terminal import summary, unjudged_lines

    if not quiet:
        Console().print(summary(finished.comparison))
        typer.echo(f"\nReport: {finished.report or finished.path / 'report.html'}")
        for line in unjudged_lines(finished.comparison):
            typer.echo(line)
