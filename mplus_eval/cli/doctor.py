"""`mplus-eval doctor`: what is here, what is missing, and the command that mends it."""

from __future__ import annotations

from typing import Annotated

import typer

_WORDS = {True: "[green]ok[/]", None: "[yellow]optional[/]", False: "[red]missing[/]"}


def doctor(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every package, also those that are as they should be.")
    ] = False,
) -> None:
    """Say what is missing here, and how to fix it.

    It looks at versions, devices, disks, data and network, and leaves with exit code 2 when something required is
    missing, with 0 otherwise.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from mplus_eval.errors import EXIT_USAGE
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.doctor import checks

    silence_libraries(verbose)
    made = checks()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in made:
        # A package that is as it should be is dull, but for this one.
        dull = check.ok is True and check.name.startswith("package ") and check.name != "package mplus-eval"
        if verbose or not dull:
            table.add_row(escape(check.name), _WORDS[check.ok], escape(check.found))
    console = Console()
    console.print(table)
    for title, ok in (("To mend", False), ("If you need it", None)):
        mends = [f"  {check.name}: {check.mend}" for check in made if check.ok is ok and check.mend]
        if mends:
            console.print("\n".join([f"\n{title}", *mends]), markup=False, highlight=False, soft_wrap=True)
    if any(check.ok is False for check in made):
        raise typer.Exit(EXIT_USAGE)
