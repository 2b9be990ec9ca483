"""Tables and named values: the small records that every section is made of, all text already written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Summary
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.units import Unit
from mplus_eval.reports.verdicts import Mark

NO_SUMMARY = Summary(withheld=None)


@dataclass(frozen=True)
class TableCell:
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


NO_NUMBER = TableCell("–", css="n")


@dataclass(frozen=True)
class Column:
    """One column: its heading, whether it holds numbers, and of a model's column its classes and the model."""

    text: str
    is_numeric: bool = True
    css: str = ""
    model: str = ""


@dataclass(frozen=True)
class TableRow:
    """One row: its heading and its cells; the id that links lead to, and the task or the model that it is about."""

    header: TableCell
    cells: tuple[TableCell, ...]
    anchor: str = ""
    task: str = ""
    model: str = ""


@dataclass(frozen=True)
class Table:
    """A table. The first column heads the rows; `total` is the last row, set apart and never sorted away."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    total: TableRow | None = None
    is_sortable: bool = False


@dataclass(frozen=True)
class Field:
    """A name and its value."""

    name: str
    value: str
    href: str = ""


@dataclass(frozen=True)
class ModelLabel:
    """A model as it is named everywhere: its name, its style's classes, role and origin."""

    name: str
    css: str
    shape: str
    role: str = ""
    detail: str = ""

    @property
    def anchor(self) -> str:
        """The id that links to the model lead to."""
        return anchor("model", self.name)

    def column(self, *classes: str) -> Column:
        """The model's column of a table, with further classes."""
        return Column(self.name, css=" ".join((self.css, *classes)), model=self.name)


@dataclass(frozen=True)
class Withheld:
    """Why no verdict is drawn from a model's figures."""

    mark: Mark
    model: str
    title: str
    reasons: str


def number(text: str, value: float, css: str = "n") -> TableCell:
    """A cell that holds a number and sorts by it."""
    return TableCell(text, key=f"{value:.6f}", css=css)


def number_if_known(value: float | None, write: Callable[[float], str]) -> TableCell:
    """A cell that holds a number as it is written, or a dash."""
    return NO_NUMBER if value is None else number(write(value), value)


def interval_if_known(interval: Interval | None, write: Callable[[Interval], str]) -> TableCell:
    """A cell that holds an interval as it is written, or a dash."""
    return TableCell(write(interval), css="n") if interval else NO_NUMBER


def number_with_interval(value: float | None, interval: Interval | None, unit: Unit) -> TableCell:
    """A cell that holds a number and, as a note, its interval; a dash where there is none."""
    if value is None:
        return NO_NUMBER
    note = unit.score_interval(interval) if interval else ""
    return TableCell(unit.score(value), note=note, key=f"{value:.6f}", css="n")


def by_measure(
    caption: str,
    measures: Sequence[str],
    by_model: Mapping[str, Sequence[TableCell]],
    labels: Mapping[str, ModelLabel],
) -> Table:
    """A table with a row per measure and a column per model.

    Args:
        caption: of the table.
        measures: the rows' headings.
        by_model: each model's cells, in the order of the measures.
        labels: how the models are named.
    """
    # Without any model the measures still stand there.
    rows = list(zip(*by_model.values(), strict=True)) or [()] * len(measures)
    columns = (Column("Measure", False), *(labels[model].column() for model in by_model))
    headed = zip(measures, rows, strict=True)
    return Table(caption, columns, tuple(TableRow(TableCell(measure), tuple(cells)) for measure, cells in headed))
