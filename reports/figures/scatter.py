"""Scatter plots: two quantities, a mark a model, with intervals both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure as Drawing

from mplus_eval.reports.figures.canvas import model_mark, scale_axis, value_axis, values_and_ends
from mplus_eval.reports.figures.curves import QUARTERS, across, named_axes, whole_scale
from mplus_eval.reports.figures.figure import Bar, Styled
from mplus_eval.reports.figures.svg import colour

HINTS = {"right and low": "↘ better: right and low", "left and high": "↖ better: left and high"}


@dataclass(frozen=True)
class Point(Styled):
    """One model by two quantities. A hollow one is not to be compared."""

    x: Bar
    y: Bar
    is_hollow: bool = False


@dataclass(frozen=True)
class ScatterChart:
    """Two quantities, a mark a model; `better` says where to look for the best, `frontier` is a line of steps.

    A whole scale goes from 0 to 100 percent both ways.
    """

    points: tuple[Point, ...]
    x_name: str
    y_name: str
    better: Literal["right and low", "left and high"]
    frontier: tuple[tuple[float, float], ...] = ()
    is_whole: bool = False

    def draw(self) -> Drawing:
        """Draw the line of steps beneath, then each model's intervals and its mark."""
        drawing, axes = named_axes(list(self.points), self.y_name, HINTS[self.better])
        if self.is_whole:
            axes.set_xlim(-3, 103)
            scale_axis(axes, list(QUARTERS), [f"{tick:g}" for tick in QUARTERS], self.x_name)
            whole_scale(axes)
        else:
            xs = values_and_ends(point.x for point in self.points)
            across(axes, min(xs), max(xs), self.x_name)
            value_axis(axes, values_and_ends(point.y for point in self.points))
        if self.frontier:
            x, y = zip(*self.frontier, strict=True)
            axes.step(x, y, where="post", color=colour("strong"), lw=1, zorder=1)
        for point in self.points:
            ink = colour(point.style.token)
            if point.x.ci:
                axes.plot(point.x.ci, [point.y.value] * 2, color=ink, lw=1.4, zorder=3)
            if point.y.ci:
                axes.plot([point.x.value] * 2, point.y.ci, color=ink, lw=1.4, zorder=3)
            model_mark(axes, point.x.value, point.y.value, point.style, 8, is_hollow=point.is_hollow)
        return drawing
