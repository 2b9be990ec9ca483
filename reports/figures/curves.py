"""Curves: one a model, told apart by shape as well as by colour, with a band where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from mplus_eval.records.base import Interval
from mplus_eval.reports import formats
from mplus_eval.reports.figures.canvas import (
    ROUND_STEPS,
    WIDTH,
    blank_canvas,
    draw_legend,
    fitted,
    legend_rows,
    plain_axes,
    scale_axis,
    ticks_between,
    value_axis,
    value_ticks,
)
from mplus_eval.reports.figures.figure import Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.palette import SHAPES

HEIGHT = 178
MARKS_A_CURVE = 6
QUARTERS = (0.0, 25.0, 50.0, 75.0, 100.0)
DECADES = 5
"""As many powers of ten are shown; what is smaller lies beneath the axes."""


@dataclass(frozen=True)
class ModelCurve(Styled):
    """One model's curve: x and y of its points, and a band where there is one. A dashed one is not to be compared."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[Interval, ...] = ()
    is_dashed: bool = False


@dataclass(frozen=True)
class CurveChart:
    """One curve a model; `line` is a place on x with what stands there.

    The scale of y may be logarithmic, or whole: from 0 to 100 percent.
    """

    curves: tuple[ModelCurve, ...]
    x_name: str
    y_name: str
    line: tuple[float, str] | None = None
    is_logarithmic: bool = False
    is_whole: bool = False

    def draw(self) -> Drawing:
        """Draw each curve with its band, and the model's mark at a few places, which differ from curve to curve."""
        drawing, axes = named_axes(list(self.curves), self.y_name)
        xs, ys = [x for curve in self.curves for x in curve.x], [y for curve in self.curves for y in curve.y]
        across(axes, min(xs), max(xs), self.x_name)
        if self.is_whole:
            # The name of the line stands above all curves.
            whole_scale(axes, 114 if self.line else 103)
        elif self.is_logarithmic:
            logarithmic_scale(axes, ys)
        else:
            value_axis(axes, [0.0, *ys, *(end for curve in self.curves for ends in curve.band for end in ends)])
        for number, curve in enumerate(self.curves):
            ink = colour(curve.style.token)
            if curve.band:
                low, high = zip(*curve.band, strict=True)
                axes.fill_between(curve.x, low, high, color=ink, alpha=0.13, lw=0, zorder=2)
            every = max(1, len(curve.x) // MARKS_A_CURVE)
            marker = list(SHAPES[curve.style.shape])
            marks: Any = {"marker": marker, "ms": 6, "mew": 0, "markevery": (number % every, every)}
            dashes: Any = {"dashes": (5, 2)} if curve.is_dashed else {}
            axes.plot(curve.x, curve.y, color=ink, lw=1.6, zorder=3, **marks, **dashes)
        if self.line:
            at, name = self.line
            axes.axvline(at, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
            axes.annotate(
                name, (at, 1), (4, -10), xycoords=("data", "axes fraction"), textcoords="offset points",
                color=colour("muted"),
            )  # fmt: skip
        return drawing


def named_axes(series: list[Styled], y_name: str, hint: str = "") -> tuple[Drawing, Axes]:
    """A canvas with the models' names, beneath them the name of the vertical axis and a hint, and the axes."""
    legend = legend_rows(series)
    top = 16 * len(legend) + (42 if hint else 26)
    whole = top + HEIGHT + 36
    drawing = blank_canvas(whole)
    axes = plain_axes(drawing, top, HEIGHT, whole)
    place: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "color": colour("muted")}
    axes.annotate(fitted(y_name, WIDTH - 4), (0, 1), (-42, 26 if hint else 10), **place)
    if hint:
        axes.annotate(hint, (0, 1), (0, 8), **place)
    draw_legend(drawing, legend)
    return drawing, axes


def whole_scale(axes: Axes, top: float = 103) -> None:
    """The vertical scale of shares, from 0 to 100 percent."""
    axes.set_ylim(-3, top)
    value_ticks(axes, list(QUARTERS), [f"{tick:g}" for tick in QUARTERS])


def logarithmic_scale(axes: Axes, values: list[float]) -> None:
    """A vertical scale of powers of ten that holds the largest value, and what is no more than a few powers smaller."""
    high = ceil(log10(max(values)))
    low = max(floor(log10(min(value for value in values if value > 0))), high - DECADES)
    axes.set_yscale("log")
    axes.set_ylim(10.0**low, 10.0**high)
    axes.minorticks_off()
    ticks = [10.0**power for power in range(low, high + 1)]
    value_ticks(axes, ticks, [f"{tick:.12f}".rstrip("0").rstrip(".") for tick in ticks])


def across(axes: Axes, low: float, high: float, name: str) -> None:
    """The horizontal scale, with a little room at both ends."""
    room = 0.05 * (high - low) or 0.5
    axes.set_xlim(low - room, high + room)
    ticks = ticks_between(low, high, 6, room, ROUND_STEPS)
    scale_axis(axes, ticks, [formats.plain(round(tick, 9)) for tick in ticks], name)
