"""Alignment tax of all models: how far each one's macro-average is from the baseline's; minus is a loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.records.comparison import Summary
from mplus_eval.reports import formats
from mplus_eval.reports.capability_phrasing import negated
from mplus_eval.reports.figures.canvas import (
    ROW,
    annotate,
    interval_line,
    margin_line,
    model_mark,
    points_axis,
    row_labels,
    rows_canvas,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow, interval_if_known, number, number_if_known


@dataclass(frozen=True)
class TaxRow(Styled):
    """The macro-average of one model minus the baseline's; its margin is the acceptable loss, above 0."""

    bar: Bar
    margin: float | None


@dataclass(frozen=True)
class TaxChart:
    """Alignment tax, a bar a model; a loss goes to the left."""

    rows: tuple[TaxRow, ...]

    def draw(self) -> Drawing:
        """Draw bars from zero, with intervals, models' marks and margins."""
        names = [row.model for row in self.rows]
        drawing, axes = rows_canvas(names, len(names) * ROW, top=6, right=44)
        places = [ROW * (index + 0.5) for index in range(len(names))]
        ends = [end for row in self.rows for end in row.bar.ends]
        ends += [-row.margin for row in self.rows if row.margin is not None]
        points_axis(axes, (min(0.0, *ends), max(0.0, *ends)), "macro-average, points from the baseline")
        row_labels(axes, names, places, [row.style.token for row in self.rows])
        for row, place in zip(self.rows, places, strict=True):
            ink = colour(row.style.token)
            axes.barh(place, row.bar.value, height=9, color=ink, alpha=0.55, lw=0, zorder=2)
            interval_line(axes, row.bar, place, colour("ink"))
            model_mark(axes, row.bar.value, place, row.style)
            if row.margin is not None:
                margin_line(axes, -row.margin, place)
            annotate(axes, formats.points(row.bar.value), place, 1, 43, "right", ink)
        return drawing


def average_difference(summary: Summary) -> Bar | None:
    """A model's macro-average minus the baseline's: the alignment tax with the sign of a loss."""
    if summary.alignment_tax is None:
        return None
    return Bar(-summary.alignment_tax, negated(summary.alignment_tax_ci) if summary.alignment_tax_ci else None)


def tax_figures(data: FigureData) -> Iterable[Figure]:
    """Alignment tax of all models, where there are three or more."""
    comparison = data.comparison
    rows = [
        TaxRow(model, data.styles[model], difference, summary.margin)
        for model, summary in comparison.summary.items()
        if model != comparison.baseline and (difference := average_difference(summary))
    ]
    if len(rows) < FEWEST_VALUES:
        return
    rows.sort(key=lambda row: -row.bar.value)
    least, most = rows[0], rows[-1]
    table_rows = (
        TableRow(
            TableCell(row.model),
            (
                number(formats.points(row.bar.value), row.bar.value),
                interval_if_known(row.bar.ci, formats.interval_of_points),
                number_if_known(row.margin, formats.margin),
            ),
            model=row.model,
        )
        for row in rows
    )
    columns = (Column("Model", False), Column("Difference"), Column(data.confidence), Column("Margin"))
    yield Figure(
        name="alignment-tax",
        section="tax",
        heading="Alignment tax",
        title=f"Alignment tax from {formats.points(least.bar.value)} points ({least.model}) "
        f"to {formats.points(most.bar.value)} ({most.model})",
        description="Alignment tax by model with intervals and the margin.",
        chart=TaxChart(tuple(rows)),
        caption=f"Macro-average of the model minus that of {comparison.baseline}; a bar to the left is a loss. "
        "Dashed: margin.",
        table=Table("Points; minus is a loss.", columns, tuple(table_rows)),
        has_markdown_table=False,
    )
