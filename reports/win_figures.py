"""Win rates and ratings drawn: a row a model, with intervals, on a scale around the baseline."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from mplus_eval.reports.canvas import ROW, interval_line, model_mark, note, row_labels, rows_canvas, scale_axis
from mplus_eval.reports.charts import Bar, RatingRow, Ratings, WinRates, WinRow
from mplus_eval.reports.conversation_phrasing import rating_points
from mplus_eval.reports.svg import colour
from mplus_eval.reports.verdict_marks import verdict_ink, verdict_mark

EQUAL_LENGTH = "at equal length"
GROUP = 2 * ROW + 4
MIDDLE = 50.0


def draw_win_rates(chart: WinRates) -> Drawing:
    """Draw win rates in percent, two rows a model: over all pairs, and fainter at equal length."""
    height = GROUP * len(chart.rows)
    labels = [*(row.model for row in chart.rows), EQUAL_LENGTH]
    drawing, axes = rows_canvas(labels, height, top=18, right=50)
    _percent_axis(axes, chart, f"win rate against {chart.baseline}, percent")
    axes.axvspan(MIDDLE - 100 * chart.margin, MIDDLE, color=colour("surface"), lw=0, zorder=0)
    axes.axvline(MIDDLE - 100 * chart.margin, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
    axes.axvline(MIDDLE, color=colour("strong"), lw=1, zorder=1)
    places = [GROUP * number + 2 + ROW / 2 for number in range(len(chart.rows))]
    row_labels(axes, [row.model for row in chart.rows], places, [row.look.token for row in chart.rows])
    for row, place in zip(chart.rows, places, strict=True):
        _win_row(axes, row, place)
    above = 1 + 5 / height
    for at, text, side in ((0, "← loses", "left"), (1, "wins →", "right")):
        axes.text(at, above, text, transform=axes.transAxes, color=colour("muted"), va="bottom", ha=side)
    return drawing


def _percent_axis(axes: Axes, chart: WinRates, name: str) -> None:
    bars = [bar for row in chart.rows for bar in (row.bar, row.at_equal_length) if bar]
    ends = [100 * end for bar in bars for end in (bar.ci or (bar.value,))]
    # The middle is always seen, and so is a range wide enough that small differences look small.
    low, high = min(*ends, MIDDLE - 10), max(*ends, MIDDLE + 10)
    room = 0.03 * (high - low)
    axes.set_xlim(low - room, high + room)
    ticks = [tick for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high]
    scale_axis(axes, ticks, [f"{tick:g}" for tick in ticks], name)


def _win_row(axes: Axes, row: WinRow, place: float) -> None:
    ink, below = verdict_ink(row.verdict), place + ROW - 3
    whole, equal = _scaled(row.bar), _scaled(row.at_equal_length) if row.at_equal_length else None
    interval_line(axes, whole, place, ink)
    verdict_mark(axes, whole.value, place, row.verdict, ink)
    note(axes, f"{whole.value:.1f} %", place, 1, 49, "right", ink, weight="bold")
    faint = colour("muted")
    note(axes, EQUAL_LENGTH, below, 0, -8, "right", faint)
    if equal is None:
        note(axes, "withheld", below, 1, 49, "right", faint)
        return
    interval_line(axes, equal, below, faint, width=1)
    axes.plot([equal.value], [below], marker="o", ms=4.5, color=faint, mew=0, clip_on=False, zorder=4)
    note(axes, f"{equal.value:.1f} %", below, 1, 49, "right", faint)


def _scaled(bar: Bar) -> Bar:
    return Bar(100 * bar.value, (100 * bar.ci[0], 100 * bar.ci[1]) if bar.ci else None)


def draw_ratings(chart: Ratings) -> Drawing:
    """Draw ratings as dots with intervals; one without bound on a side goes on to the edge as an arrow."""
    names = [row.model for row in chart.rows]
    drawing, axes = rows_canvas(names, ROW * len(names), top=6, right=44)
    ends = [end for row in chart.rows for end in (row.value, *(row.ci or ())) if end is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    axes.set_xlim(low - room, high + room)
    ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low - room <= tick <= high + room]
    scale_axis(axes, ticks, [rating_points(tick) for tick in ticks], f"rating, points above {chart.baseline}")
    axes.axvline(0, color=colour("strong"), lw=1, zorder=1)
    places = [ROW * (number + 0.5) for number in range(len(names))]
    row_labels(axes, names, places, [row.look.token for row in chart.rows])
    for row, place in zip(chart.rows, places, strict=True):
        _rating_row(axes, row, place)
    return drawing


def _rating_row(axes: Axes, row: RatingRow, place: float) -> None:
    ink = colour(row.look.token)
    if row.ci:
        edges = axes.get_xlim()
        low, high = (edge if end is None else end for end, edge in zip(row.ci, edges, strict=True))
        axes.plot([low, high], [place, place], color=ink, lw=1.6, solid_capstyle="butt", zorder=3)
        for end, edge, arrow in zip(row.ci, edges, "<>", strict=True):
            if end is None:
                axes.plot([edge], [place], marker=arrow, ms=6, color=ink, mew=0, clip_on=False, zorder=4)
    model_mark(axes, row.value, place, row.look, is_hollow=row.is_hollow)
    note(axes, rating_points(row.value), place, 1, 43, "right", ink)
