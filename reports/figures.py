"""Figures drawn with matplotlib, 328 units wide, so that on a phone they stand at their own size."""

from __future__ import annotations

from math import pi, sin
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from mplus_eval.reports import formats
from mplus_eval.reports.canvas import (
    ROW,
    SMALLEST_TEXT,
    WIDTH,
    bars_and_ends,
    blank_canvas,
    draw_legend,
    fitted,
    horizontal_axis,
    interval_line,
    legend_rows,
    model_mark,
    note,
    plain_axes,
    points_axis,
    row_labels,
    rows_canvas,
    scale_axis,
    value_axis,
)
from mplus_eval.reports.charts import (
    Bar,
    Bars,
    Curves,
    Dose,
    Figure,
    Forest,
    ForestRow,
    Panel,
    Radar,
    Ratings,
    Scatter,
    Tax,
    Trajectory,
    WinRates,
)
from mplus_eval.reports.curves import draw_curves, draw_scatter
from mplus_eval.reports.palette import SHAPES, Look
from mplus_eval.reports.svg import SETTINGS, colour, to_svg
from mplus_eval.reports.verdict_marks import verdict_ink, verdict_mark
from mplus_eval.reports.win_figures import draw_ratings, draw_win_rates

MOST_LABELLED_BARS = 6
RADIUS = 80
PANEL = 92
DASHES = ((0, ()), (0, (5, 2)), (0, (1.5, 2)))


def draw(figure: Figure) -> str:
    """Draw a figure as an SVG element with CSS variables for colours."""
    with mpl.rc_context(SETTINGS):
        match figure.chart:
            case Forest() as chart:
                drawing = _forest(chart)
            case Tax() as chart:
                drawing = _tax(chart)
            case Bars() as chart:
                drawing = _bars(chart)
            case Radar() as chart:
                drawing = _radar(chart)
            case Dose() as chart:
                drawing = _dose(chart)
            case Trajectory() as chart:
                drawing = _trajectory(chart)
            case Curves() as chart:
                drawing = draw_curves(chart)
            case Scatter() as chart:
                drawing = draw_scatter(chart)
            case WinRates() as chart:
                drawing = draw_win_rates(chart)
            case Ratings() as chart:
                drawing = draw_ratings(chart)
        return to_svg(drawing, figure.name, f"{figure.title}. {figure.description}")


def _forest(chart: Forest) -> Drawing:
    names = [row.name for row in chart.rows]
    gap = 10 if chart.rows[-1].is_total else 0
    drawing, axes = rows_canvas(names, len(names) * ROW + gap, top=18, right=44)
    places = [ROW * (index + 0.5) + (gap if row.is_total else 0) for index, row in enumerate(chart.rows)]
    points_axis(axes, chart.scale, f"difference from {chart.baseline}, points")
    row_labels(axes, names, places)
    for row, place in zip(chart.rows, places, strict=True):
        _forest_row(axes, row, place)
    above = 1 + 5 / (len(names) * ROW + gap)
    for at, text, side in ((0, "← worse", "left"), (1, "better →", "right")):
        axes.text(at, above, text, transform=axes.transAxes, color=colour("muted"), va="bottom", ha=side)
    return drawing


def _forest_row(axes: Axes, row: ForestRow, place: float) -> None:
    if row.bar is None:
        note(axes, "no result", place, 0.5, 0, "center", colour("muted"))
        return
    ink = verdict_ink(row.verdict)
    axes.fill_betweenx([place - ROW / 2, place + ROW / 2], 0, row.margin, color=colour("surface"), lw=0, zorder=0)
    axes.plot(
        [row.margin] * 2, [place - ROW / 2, place + ROW / 2], color=colour("strong"), lw=1, dashes=(3, 2), zorder=1
    )
    interval_line(axes, row.bar, place, ink)
    verdict_mark(axes, row.bar.value, place, row.verdict, ink)
    note(axes, formats.points(row.bar.value), place, 1, 43, "right", ink, weight="bold")


def _tax(chart: Tax) -> Drawing:
    names = [row.model for row in chart.rows]
    drawing, axes = rows_canvas(names, len(names) * ROW, top=6, right=44)
    places = [ROW * (index + 0.5) for index in range(len(names))]
    ends = [end for row in chart.rows for end in (row.bar.ci or (row.bar.value,))]
    ends += [row.margin for row in chart.rows if row.margin is not None]
    points_axis(axes, (min(0.0, *ends), max(0.0, *ends)), "alignment tax, points lost")
    row_labels(axes, names, places, [row.look.token for row in chart.rows])
    for row, place in zip(chart.rows, places, strict=True):
        ink = colour(row.look.token)
        axes.barh(place, row.bar.value, height=9, color=ink, alpha=0.55, lw=0, zorder=2)
        interval_line(axes, row.bar, place, colour("ink"))
        model_mark(axes, row.bar.value, place, row.look)
        if row.margin is not None:
            edges = [place - ROW / 2, place + ROW / 2]
            axes.plot([row.margin] * 2, edges, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
        note(axes, formats.points(row.bar.value), place, 1, 43, "right", ink)
    return drawing


def _bars(chart: Bars) -> Drawing:
    is_labelled = len(chart.series) <= MOST_LABELLED_BARS
    thickness = 11 if is_labelled else 7
    group = thickness * len(chart.series) + 10
    legend = legend_rows(chart.series)
    top = 16 * len(legend) + 4
    drawing, axes = rows_canvas(list(chart.tasks), group * len(chart.tasks), top=top, right=36)
    axes.set_xlim(0, 1)
    scale_axis(axes, [0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"], chart.x_name)
    row_labels(axes, list(chart.tasks), [group * (index + 0.5) for index in range(len(chart.tasks))])
    for number, series in enumerate(chart.series):
        for index, bar in enumerate(series.bars):
            place = group * index + 5 + thickness * (number + 0.5)
            _score_bar(axes, bar, place, thickness, series.look)
    for index, chance in enumerate(chart.chances):
        if chance > 0:
            edges = [group * index + 2, group * (index + 1) - 2]
            axes.plot([chance] * 2, edges, color=colour("ink"), lw=1, dashes=(3, 2), zorder=5)
    draw_legend(drawing, legend)
    return drawing


def _score_bar(axes: Axes, bar: Bar | None, place: float, thickness: float, look: Look) -> None:
    if bar is None:
        note(axes, "×", place, 0, 4, "left", colour("muted"))
        return
    axes.barh(place, bar.value, height=thickness - 1.5, color=colour(look.token), alpha=0.55, lw=0, zorder=2)
    interval_line(axes, bar, place, colour("ink"), width=1)
    model_mark(axes, bar.value, place, look, size=5)
    if thickness >= SMALLEST_TEXT:
        note(axes, formats.percent(bar.value), place, 1, 35, "right", colour("muted"))


def _radar(chart: Radar) -> Drawing:
    legend = legend_rows(chart.series)
    height = 16 * len(legend) + 2 * RADIUS + 64
    drawing = blank_canvas(height)
    box = (WIDTH / 2 - RADIUS) / WIDTH, 28 / height, 2 * RADIUS / WIDTH, 2 * RADIUS / height
    axes = drawing.add_axes(box, projection="polar")
    angles = [2 * pi * index / len(chart.tasks) for index in range(len(chart.tasks))]
    _radar_grid(axes, chart.tasks, angles)
    for number, series in enumerate(chart.series):
        values = [bar.value for bar in series.bars if bar]
        ink, marker = colour(series.look.token), list(SHAPES[series.look.shape])
        dashes = DASHES[number % len(DASHES)]
        axes.plot([*angles, angles[0]], [*values, values[0]], color=ink, lw=1.7, ls=dashes)
        axes.plot(angles, values, ls="", marker=marker, ms=5.5, color=ink, mew=0)
    draw_legend(drawing, legend)
    return drawing


def _radar_grid(axes: Any, tasks: tuple[str, ...], angles: list[float]) -> None:
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 1)
    axes.set_facecolor("none")
    axes.grid(color=colour("line"), lw=1)
    axes.spines["polar"].set_color(colour("line"))
    axes.set_xticks(angles, [""] * len(angles))
    axes.set_yticks([0.25, 0.5, 0.75, 1], [""] * 4)
    for task, angle in zip(tasks, angles, strict=True):
        aside = sin(angle)
        side = "center" if abs(aside) < 0.1 else "left" if aside > 0 else "right"
        room = WIDTH / 2 - 1.1 * RADIUS * abs(aside) if side != "center" else 120
        axes.text(angle, 1.1, fitted(task, room), ha=side, va="center", color=colour("ink"))


def _dose(chart: Dose) -> Drawing:
    legend = legend_rows(chart.rows)
    top, height = 16 * len(legend) + 12, 150
    drawing = blank_canvas(top + height + 36)
    axes = plain_axes(drawing, top, height, top + height + 36)
    value_axis(axes, [bar.value * 100 for bar in bars_and_ends([row.bar for row in chart.rows])])
    most = max(row.kl for row in chart.rows) or 1.0
    horizontal_axis(axes, most, "KL to the base, nats an answer")
    for row in chart.rows:
        ends = row.bar.ci or (row.bar.value, row.bar.value)
        axes.plot([row.kl] * 2, [end * 100 for end in ends], color=colour(row.look.token), lw=1.4, zorder=3)
        model_mark(axes, row.kl, row.bar.value * 100, row.look)
    draw_legend(drawing, legend)
    return drawing


def _trajectory(chart: Trajectory) -> Drawing:
    height = PANEL * len(chart.panels) + 36
    drawing = blank_canvas(height)
    for index, panel in enumerate(chart.panels):
        axes = plain_axes(drawing, PANEL * index + 22, PANEL - 34, height)
        value_axis(axes, [bar.value for bar in bars_and_ends([bar for _, bar in panel.points])])
        is_last = index == len(chart.panels) - 1
        horizontal_axis(axes, chart.last_step or 1, "step" if is_last else "", is_labelled=is_last)
        _panel(axes, panel)
    return drawing


def _panel(axes: Axes, panel: Panel) -> None:
    ink = colour("ink")
    for step, bar in panel.points:
        if bar.ci:
            axes.plot([step] * 2, bar.ci, color=colour("strong"), lw=1.4, zorder=2)
    steps, values = [step for step, _ in panel.points], [bar.value for _, bar in panel.points]
    axes.plot(steps, values, color=ink, lw=1.4, marker="o", ms=4.5, mew=0, clip_on=False, zorder=3)
    axes.annotate(
        fitted(panel.name, WIDTH - 50), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", color=ink
    )
