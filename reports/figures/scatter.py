"""Scatter plots: two quantities, a mark a model, with intervals both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure as Drawing

from mplus_eval.reports.figures.canvas import model_mark, scale_axis, value_axis, values_and_ends
from mplus_eval.reports.figures.curves import QUARTERS, across, named_axes, whole_scale
from mplus_eval.reports.figures.figure import Bar, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.palette import ModelStyle

HINTS = {"right and low": "↘ better: right and low", "left and high": "↖ better: left and high"}


@dataclass(frozen=True)
class Point(Styled):
    """One model by two quantities. A hollow one is not to be compared."""

    x: Bar
    y: Bar
    is_hollow: bool = False


@dataclass(frozen=True)
class Path:
    """The way of one training: its saved steps in order, between the places of the baseline and the final model."""

    style: ModelStyle
    steps: tuple[Point, ...]
    start: tuple[float, float] | None = None
    end: tuple[float, float] | None = None

    @property
    def places(self) -> list[tuple[float, float]]:
        """All of them; an end that has no place is left out."""
        steps = ((step.x.value, step.y.value) for step in self.steps)
        return [place for place in (self.start, *steps, self.end) if place is not None]


@dataclass(frozen=True)
class ScatterChart:
    """Two quantities, a mark per model; `better` says where to look for the best, `frontier` is a line of steps.

    A whole scale goes from 0 to 100 percent both ways. A path is the line of one training through its saved steps.
    """

    points: tuple[Point, ...]
    x_name: str
    y_name: str
    better: Literal["right and low", "left and high"]
    frontier: tuple[tuple[float, float], ...] = ()
    is_whole: bool = False
    paths: tuple[Path, ...] = ()

    def draw(self) -> Drawing:
        """Draw the line of steps and the paths beneath, then each model's intervals and its mark."""
        drawing, axes = named_axes(list(self.points), self.y_name, HINTS[self.better])
        if self.is_whole:
            axes.set_xlim(-3, 103)
            scale_axis(axes, list(QUARTERS), [f"{tick:g}" for tick in QUARTERS], self.x_name)
            whole_scale(axes)
        else:
            steps = [step for path in self.paths for step in path.steps]
            xs = [*values_and_ends(point.x for point in self.points), *(step.x.value for step in steps)]
            across(axes, min(xs), max(xs), self.x_name)
            value_axis(axes, [*values_and_ends(point.y for point in self.points), *(step.y.value for step in steps)])
        if self.frontier:
            x, y = zip(*self.frontier, strict=True)
            axes.step(x, y, where="post", color=colour("strong"), lw=1, zorder=1)
        for path in self.paths:
            ink = colour(path.style.token)
            x, y = zip(*path.places, strict=True)
            axes.plot(x, y, color=ink, lw=1, zorder=2)
            for step in path.steps:
                face = colour("bg") if step.is_hollow else ink
                axes.plot(
                    [step.x.value], [step.y.value], marker="o", ms=4, mew=1, mec=ink, mfc=face, clip_on=False, zorder=3
                )
        for point in self.points:
            ink = colour(point.style.token)
            if point.x.ci:
                axes.plot(point.x.ci, [point.y.value] * 2, color=ink, lw=1.4, zorder=3)
            if point.y.ci:
                axes.plot([point.x.value] * 2, point.y.ci, color=ink, lw=1.4, zorder=3)
            model_mark(axes, point.x.value, point.y.value, point.style, 8, is_hollow=point.is_hollow)
        return drawing
