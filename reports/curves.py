"""Curves and scatter plots: a curve or a mark a model, told apart by shape as well as by colour."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from mplus_eval.reports import formats
from mplus_eval.reports.canvas import (
    WIDTH,
    blank_canvas,
    draw_legend,
    fitted,
    legend_rows,
    model_mark,
    plain_axes,
    scale_axis,
    value_axis,
    value_ticks,
)
from mplus_eval.reports.charts import Bar, Curve, Curves, Scatter
from mplus_eval.reports.palette import SHAPES
from mplus_eval.reports.svg import colour

HEIGHT = 178
MARKS_A_CURVE = 6
QUARTERS = (0.0, 25.0, 50.0, 75.0, 100.0)
DECADES = 5
"""As many powers of ten are shown; what is smaller lies beneath the axes."""


def draw_curves(chart: Curves) -> Drawing:
    """Draw one curve a model."""
    drawing, axes = _ground(chart)
    _curve_scales(axes, chart)
    for number, curve in enumerate(chart.curves):
        _curve(axes, curve, number)
    if chart.line:
        at, says = chart.line
        axes.axvline(at, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
        axes.annotate(
            says, (at, 1), (4, -10), xycoords=("data", "axes fraction"), textcoords="offset points",
            color=colour("muted"),
        )  # fmt: skip
    return drawing


def draw_scatter(chart: Scatter) -> Drawing:
    """Draw one mark a model, with its intervals both ways."""
    drawing, axes = _ground(chart)
    _scatter_scales(axes, chart)
    if chart.frontier:
        x, y = zip(*chart.frontier, strict=True)
        axes.step(x, y, where="post", color=colour("strong"), lw=1, zorder=1)
    for spot in chart.spots:
        ink = colour(spot.look.token)
        for x_ends, y_ends in _cross(spot.x, spot.y):
            axes.plot(x_ends, y_ends, color=ink, lw=1.4, zorder=3)
        model_mark(axes, spot.x.value, spot.y.value, spot.look, 8, is_hollow=spot.is_hollow)
    return drawing


def _ground(chart: Curves | Scatter) -> tuple[Drawing, Axes]:
    """A canvas with the models' names, the name of the vertical axis beneath them, and the axes."""
    legend = legend_rows(chart.curves if isinstance(chart, Curves) else chart.spots)
    hint = {"left and low": "↙ better: left and low", "left and high": "↖ better: left and high"}
    says = hint[chart.better] if isinstance(chart, Scatter) else ""
    top = 16 * len(legend) + (42 if says else 26)
    whole = top + HEIGHT + 36
    drawing = blank_canvas(whole)
    axes = plain_axes(drawing, top, HEIGHT, whole)
    place: Any = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(fitted(chart.y_name, WIDTH - 4), (0, 1), (-42, 26 if says else 10), color=colour("muted"), **place)
    if says:
        axes.annotate(says, (0, 1), (0, 8), color=colour("muted"), **place)
    draw_legend(drawing, legend)
    return drawing, axes


def _curve_scales(axes: Axes, chart: Curves) -> None:
    xs = [x for curve in chart.curves for x in curve.x]
    _across(axes, min(xs), max(xs), chart.x_name)
    ys = [y for curve in chart.curves for y in curve.y]
    if chart.is_whole:
        # The name of the line stands above all curves.
        _whole_scale(axes, 114 if chart.line else 103)
        return
    if not chart.is_logarithmic:
        value_axis(axes, [0.0, *ys, *(end for curve in chart.curves for ends in curve.band for end in ends)])
        return
    high = ceil(log10(max(ys)))
    low = max(floor(log10(min(y for y in ys if y > 0))), high - DECADES)
    axes.set_yscale("log")
    axes.set_ylim(10.0**low, 10.0**high)
    axes.minorticks_off()
    ticks = [10.0**power for power in range(low, high + 1)]
    value_ticks(axes, ticks, [f"{tick:.12f}".rstrip("0").rstrip(".") for tick in ticks])


def _curve(axes: Axes, curve: Curve, number: int) -> None:
    """A curve with its band, and the model's mark at a few places, which differ from curve to curve."""
    ink = colour(curve.look.token)
    if curve.band:
        low, high = zip(*curve.band, strict=True)
        axes.fill_between(curve.x, low, high, color=ink, alpha=0.13, lw=0, zorder=2)
    every = max(1, len(curve.x) // MARKS_A_CURVE)
    marks: Any = {"marker": list(SHAPES[curve.look.shape]), "ms": 6, "mew": 0, "markevery": (number % every, every)}
    dashes: Any = {"dashes": (5, 2)} if curve.is_dashed else {}
    axes.plot(curve.x, curve.y, color=ink, lw=1.6, zorder=3, **marks, **dashes)


def _scatter_scales(axes: Axes, chart: Scatter) -> None:
    if chart.is_whole:
        axes.set_xlim(-3, 103)
        scale_axis(axes, list(QUARTERS), [f"{tick:g}" for tick in QUARTERS], chart.x_name)
        _whole_scale(axes)
        return
    xs, ys = (
        [end for bar in bars for end in _ends(bar)] for bars in zip(*((s.x, s.y) for s in chart.spots), strict=True)
    )
    _across(axes, min(xs), max(xs), chart.x_name)
    value_axis(axes, ys)


def _whole_scale(axes: Axes, top: float = 103) -> None:
    axes.set_ylim(-3, top)
    value_ticks(axes, list(QUARTERS), [f"{tick:g}" for tick in QUARTERS])


def _across(axes: Axes, low: float, high: float, name: str) -> None:
    room = 0.05 * (high - low) or 0.5
    axes.set_xlim(low - room, high + room)
    ticks = [
        tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low - room <= tick <= high + room
    ]
    scale_axis(axes, ticks, [formats.plain(round(tick, 9)) for tick in ticks], name)


def _ends(bar: Bar) -> tuple[float, ...]:
    return (bar.value, *(bar.ci or ()))


def _cross(x: Bar, y: Bar) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The lines of both intervals, where there are any."""
    lines = [(x.ci, (y.value, y.value))] if x.ci else []
    return [*lines, *([((x.value, x.value), y.ci)] if y.ci else [])]
