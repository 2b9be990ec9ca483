"""The tables of a comparison as CSV, for a spreadsheet: UTF-8, a heading line, fractions, empty where nothing is known.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@`, a tab or a line end for a formula (OWASP, "CSV
Injection"). Such a text has an apostrophe before it, which spreadsheets take for "this is text". Numbers stay numbers,
negative ones too.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.exports.tables import Table, Value, tables_of
from mplus_eval.reports.text import visible
from mplus_eval.store.files import write_whole

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The wide ones are what Excel takes for the narrow ones where the locale is an Asian one."""


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write every table as `<name>.csv`."""
    written = []
    for name, table in tables_of(run).items():
        path = folder / f"{name}.csv"
        write_whole(path, as_csv(table))
        written.append(path)
    return written


def as_csv(table: Table) -> str:
    """A table as CSV, RFC 4180; a column of any row is a column of all."""
    columns = list(dict.fromkeys(name for row in table for name in row))
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([cell(name) for name in columns])
    writer.writerows([[cell(row.get(name)) for name in columns] for row in table])
    return file.getvalue()


def cell(value: Value) -> str | int | float | None:
    r"""A value as a cell: no formula, and nothing that acts instead of shows.

    >>> cell("=1+1"), cell(-0.5), cell("plus"), cell("-"), cell(True)
    ("'=1+1", -0.5, 'plus', "'-", 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    # What `visible` turns into a code point can begin no formula any more, so it is looked at first.
    return ("'" if value.startswith(FORMULA_STARTS) else "") + visible(value)
