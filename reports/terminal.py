"""The end of a run in a terminal: a row a model, then the cells that are missing; never more than fourteen lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.trajectory import without_steps

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MOST_LINES = 14
"""One less than fifteen: the line that says where the report is comes after."""
FEWEST_MISSING_LINES = 2


def summary(comparison: Comparison) -> RenderableType:
    """What a run found, for `rich` to print: average, alignment tax with interval, and verdict of every model."""
    from rich.console import Group
    from rich.text import Text

    n_missing = len(comparison.missing)
    for_missing = min(n_missing, FEWEST_MISSING_LINES)
    table, n_rows = _table(without_steps(comparison), MOST_LINES - 1 - for_missing)
    lines = _missing_lines(comparison, MOST_LINES - 1 - n_rows)
    return Group(table, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))


def _table(comparison: Comparison, room: int) -> tuple[Table, int]:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Model", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("Average", justify="right", no_wrap=True)
    compares = len(comparison.models) > 1
    if compares:
        table.add_column("Tax, points", no_wrap=True)
        table.add_column("Verdict", no_wrap=True, overflow="ellipsis", max_width=22)
    names = list(comparison.models)
    shown = names if len(names) <= room else names[: room - 1]
    for name in shown:
        table.add_row(*map(Text, _cells(name, comparison)[: 4 if compares else 2]))
    if len(shown) < len(names):
        table.add_row(Text(f"… and {len(names) - len(shown)} more"))
    return table, min(len(names), room)


def _cells(name: str, comparison: Comparison) -> tuple[str, str, str, str]:
    found = comparison.summary.get(name, NO_SUMMARY)
    average = "–" if found.macro_average is None else formats.with_percent(found.macro_average)
    if name == comparison.baseline:
        return name, average, "", "baseline"
    if found.alignment_tax is None or found.verdict is None:
        return name, average, "–", f"no verdict: {one_line(found.withheld or 'withheld')}"
    interval = f" {formats.interval_of_points(found.alignment_tax_ci)}" if found.alignment_tax_ci else ""
    return name, average, f"{formats.points(found.alignment_tax)}{interval}", found.verdict.value


def _missing_lines(comparison: Comparison, room: int) -> list[str]:
    lines = [f"× {cell.model} × {cell.task}: {one_line(cell.cause)}" for cell in comparison.missing]
    if len(lines) <= room:
        return lines
    shown = lines[: room - 1]
    return [*shown, f"× and {len(lines) - len(shown)} more cells missing"]
