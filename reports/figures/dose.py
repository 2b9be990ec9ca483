"""Capability against dose: what training cost, by how far it moved a model from the base."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.reports import formats
from mplus_eval.reports.figures.canvas import (
    blank_canvas,
    draw_legend,
    horizontal_axis,
    legend_rows,
    model_mark,
    plain_axes,
    value_axis,
    values_and_ends,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData
from mplus_eval.reports.figures.scatter import Point
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow, interval_if_known, number
from mplus_eval.reports.units import FRACTION


@dataclass(frozen=True)
class DoseChart:
    """Capability against dose, a mark per model, in the order of the dose: x is KL in nats per answer."""

    points: tuple[Point, ...]

    def draw(self) -> Drawing:
        """Draw each macro-average with its interval, in percent, over its dose."""
        legend = legend_rows(self.points)
        top, height = 16 * len(legend) + 12, 150
        whole = top + height + 36
        drawing = blank_canvas(whole)
        axes = plain_axes(drawing, top, height, whole)
        value_axis(axes, [100 * value for value in values_and_ends(point.y for point in self.points)])
        horizontal_axis(axes, max(point.x.value for point in self.points) or 1.0, "KL to the base, nats per answer")
        for point in self.points:
            ends = [100 * end for end in point.y.ends]
            axes.plot([point.x.value] * 2, ends, color=colour(point.style.token), lw=1.4, zorder=3)
            model_mark(axes, point.x.value, point.y.value * 100, point.style)
        draw_legend(drawing, legend)
        return drawing


def dose_figures(data: FigureData) -> Iterable[Figure]:
    """Macro-average against KL on own answers, where three models or more have both."""
    comparison = data.comparison
    points = []
    for name, entry in comparison.models.items():
        summary = comparison.summary.get(name)
        dose = entry.training.dose if entry.training else None
        kl = 0.0 if name == comparison.baseline else dose.kl_answers if dose else None
        if kl is not None and summary and summary.macro_average is not None:
            bar = Bar(summary.macro_average, summary.ci)
            points.append(Point(name, data.styles[name], Bar(kl, None), bar))
    if len(points) < FEWEST_VALUES:
        return
    points.sort(key=lambda point: point.x.value)
    far = points[-1]
    title = f"Furthest from the base, at {formats.plain(far.x.value)} nats: {far.model}, "
    title += formats.with_percent(far.y.value)
    base = next((point for point in points if point.model == comparison.baseline), None)
    if base and base is not far:
        title += f" ({base.model} {formats.with_percent(base.y.value)})"
    table_rows = (
        TableRow(
            TableCell(point.model),
            (
                number(formats.plain(point.x.value), point.x.value),
                number(formats.percent(point.y.value), point.y.value),
                interval_if_known(point.y.ci, FRACTION.score_interval),
            ),
            model=point.model,
        )
        for point in points
    )
    yield Figure(
        name="dose",
        section="training",
        title=title,
        description="Macro-average with intervals against the KL to the base on own answers, a mark per model.",
        chart=DoseChart(tuple(points)),
        caption="Upwards: macro-average, percent, with its CI. The baseline stands at 0.",
        table=Table(
            "Macro-average in percent, KL in nats per answer.",
            (Column("Model", False), Column("KL"), Column("Macro-average"), Column(data.confidence)),
            tuple(table_rows),
        ),
        has_markdown_table=False,
    )
