"""What `compare`, `toxicity` and `conversation` do with their options: run, print the summary."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mplus_eval.pipeline.run import Run
    from mplus_eval.spec.compare import CompareSpec


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
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.pipeline.run import run

    if _followed(verbose=verbose):
        return
    from mplus_eval.backends.lockstep import leading

    spec, faults = _drafted(models, config, given, verbose=verbose)
    if spec.dry_run:
        _show_plan(spec, faults, measures=False, verbose=verbose, quiet=quiet)
        return
    with ConsoleProgress(Console(stderr=True, quiet=quiet), verbose=verbose).shown() as progress, leading():
        finished = run(spec, progress, faults=faults)
    show(finished, quiet=quiet)
    noise = finished.comparison.noise_floor
    if finished.comparison.missing or (noise is not None and noise.missing):
        raise typer.Exit(EXIT_CELLS_MISSING)
    end_as_judged(finished)


def plan_and_show(
    models: Sequence[str],
    config: str | None,
    given: Mapping[str, object],
    *,
    measures: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Print what a comparison will take; arguments as those of `run_and_show`, `measures` as `plan_run` has it."""
    if _followed(verbose=verbose):
        return
    spec, faults = _drafted(models, config, given, verbose=verbose)
    _show_plan(spec, faults, measures=measures and not spec.dry_run, verbose=verbose, quiet=quiet)


def _drafted(
    models: Sequence[str], config: str | None, given: Mapping[str, object], *, verbose: bool
) -> tuple[CompareSpec, list[str]]:
    from mplus_eval.models.placement import group_faults
    from mplus_eval.spec.draft import draft_spec

    _silence(verbose=verbose)
    spec, faults = draft_spec(models, config, given)
    return spec, [*faults, *group_faults(spec)]


def _silence(*, verbose: bool) -> None:
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    if not verbose:
        warnings.filterwarnings("ignore")


def _followed(*, verbose: bool) -> bool:
    """Whether this process of several followed the one that asks, and has nothing of its own to do."""
    from mplus_eval.errors import EXIT_INTERRUPTED, InterruptedRunError

    _silence(verbose=verbose)
    from mplus_eval.backends.lockstep import follow, is_follower

    if not is_follower():
        return False
    try:
        follow()
    except (InterruptedRunError, KeyboardInterrupt):
        # Process 0 says why.
        raise typer.Exit(EXIT_INTERRUPTED) from None
    return True


def _show_plan(spec: CompareSpec, faults: Sequence[str], *, measures: bool, verbose: bool, quiet: bool) -> None:
    from rich.console import Console

    from mplus_eval.backends.lockstep import leading
    from mplus_eval.pipeline.estimate_lines import estimate_lines
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.pipeline.run import plan_run

    with ConsoleProgress(Console(stderr=True, quiet=quiet), verbose=verbose).shown() as progress, leading():
        estimate = plan_run(spec, progress, faults=faults, measures=measures)
    if not quiet:
        for line in estimate_lines(estimate):
            typer.echo(line)


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
