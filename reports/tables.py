"""Tables, marks and facts: the small records that every section is made of, all text already written out."""

from __future__ import annotations

from dataclasses import dataclass

from mplus_eval.records.comparison import Summary
from mplus_eval.records.verdict import Verdict


@dataclass(frozen=True)
class Mark:
    """A verdict's sign: `key` names its shape and colour, `word` says it."""

    key: str
    word: str


MARKS = {verdict: Mark(verdict.value.replace(" ", "-"), verdict.value) for verdict in Verdict}
FAILED = Mark("failed", "failed")
NO_VERDICT = Mark("none", "no verdict")
NO_SUMMARY = Summary(withheld=None)


@dataclass(frozen=True)
class Cell:
    """One cell: plain text, then mark and strong text, then a note that may be dropped where space is short.

    `key` is what the column sorts by (empty sorts last), `href` where the text leads, `css` the cell's classes.
    """

    text: str = ""
    mark: Mark | None = None
    strong: str = ""
    note: str = ""
    key: str = ""
    href: str = ""
    css: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its heading, whether it holds numbers, and the classes of a model's column."""

    text: str
    is_numeric: bool = True
    css: str = ""


@dataclass(frozen=True)
class Row:
    """One row: its heading and its cells."""

    header: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table. The first column heads the rows; `total` is the last row, set apart and never sorted away."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    is_sortable: bool = False


@dataclass(frozen=True)
class Fact:
    """A name and its value."""

    name: str
    value: str
    href: str = ""


@dataclass(frozen=True)
class ModelLabel:
    """A model as it is named everywhere: its name, its look's classes, role and origin."""

    name: str
    css: str
    shape: str
    role: str = ""
    detail: str = ""


def number(text: str, value: float | None, css: str = "n") -> Cell:
    """A cell that holds a number and sorts by it."""
    return Cell(text, key="" if value is None else f"{value:.6f}", css=css)
