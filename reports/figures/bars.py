"""Bars and radars of fractions: several models on several tasks or categories, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sin

from matplotlib.figure import Figure as Drawing
from matplotlib.projections.polar import PolarAxes

from mplus_eval.reports import formats
from mplus_eval.reports.figures.canvas import (
    SMALLEST_TEXT,
    WIDTH,
    annotate,
    blank_canvas,
    draw_legend,
    fitted,
    interval_line,
    legend_rows,
    model_mark,
    row_labels,
    rows_canvas,
    scale_axis,
)
from mplus_eval.reports.figures.figure import Bar, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.palette import SHAPES

MOST_LABELLED_BARS = 6
MOST_RADAR_AXES = 16
MOST_RADAR_MODELS = 3
RADIUS = 80
DASHES = ((0, ()), (0, (5, 2)), (0, (1.5, 2)))


@dataclass(frozen=True)
class Series(Styled):
    """One model's scores, in the order of the tasks; None where a cell is missing."""

    bars: tuple[Bar | None, ...]

    @property
    def average(self) -> float:
        """The mean of the scores that there are."""
        values = [bar.value for bar in self.bars if bar]
        return sum(values) / len(values)


@dataclass(frozen=True)
class BarChart:
    """Scores of all models by task, with the chance level of each task."""

    tasks: tuple[str, ...]
    chances: tuple[float, ...]
    series: tuple[Series, ...]
    x_name: str = "score, percent"

    def draw(self) -> Drawing:
        """Draw a group of bars a task, with intervals, models' marks, and chance as a dashed line."""
        thickness = 11 if len(self.series) <= MOST_LABELLED_BARS else 7
        group = thickness * len(self.series) + 10
        legend = legend_rows(self.series)
        drawing, axes = rows_canvas(list(self.tasks), group * len(self.tasks), top=16 * len(legend) + 4, right=36)
        axes.set_xlim(0, 1)
        scale_axis(axes, [0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"], self.x_name)
        row_labels(axes, list(self.tasks), [group * (index + 0.5) for index in range(len(self.tasks))])
        for number, series in enumerate(self.series):
            for index, bar in enumerate(series.bars):
                place = group * index + 5 + thickness * (number + 0.5)
                if bar is None:
                    annotate(axes, "×", place, 0, 4, "left", colour("muted"))
                    continue
                ink = colour(series.style.token)
                axes.barh(place, bar.value, height=thickness - 1.5, color=ink, alpha=0.55, lw=0, zorder=2)
                interval_line(axes, bar, place, colour("ink"), width=1)
                model_mark(axes, bar.value, place, series.style, size=5)
                if thickness >= SMALLEST_TEXT:
                    annotate(axes, formats.percent(bar.value), place, 1, 35, "right", colour("muted"))
        for index, chance in enumerate(self.chances):
            if chance > 0:
                edges = [group * index + 2, group * (index + 1) - 2]
                axes.plot([chance] * 2, edges, color=colour("ink"), lw=1, dashes=(3, 2), zorder=5)
        draw_legend(drawing, legend)
        return drawing


@dataclass(frozen=True)
class RadarChart:
    """Scores of three models at most, as a shape."""

    tasks: tuple[str, ...]
    series: tuple[Series, ...]

    def draw(self) -> Drawing:
        """Draw a closed line a model over rings at 25, 50, 75 and 100 percent, a task at the end of each spoke."""
        legend = legend_rows(self.series)
        height = 16 * len(legend) + 2 * RADIUS + 64
        drawing = blank_canvas(height)
        box = (WIDTH / 2 - RADIUS) / WIDTH, 28 / height, 2 * RADIUS / WIDTH, 2 * RADIUS / height
        axes = drawing.add_axes(box, projection="polar")
        assert isinstance(axes, PolarAxes)
        angles = [2 * pi * index / len(self.tasks) for index in range(len(self.tasks))]
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        axes.set_ylim(0, 1)
        axes.set_facecolor("none")
        axes.grid(color=colour("line"), lw=1)
        axes.spines["polar"].set_color(colour("line"))
        axes.set_xticks(angles, [""] * len(angles))
        axes.set_yticks([0.25, 0.5, 0.75, 1], [""] * 4)
        for task, angle in zip(self.tasks, angles, strict=True):
            aside = sin(angle)
            side = "center" if abs(aside) < 0.1 else "left" if aside > 0 else "right"
            room = WIDTH / 2 - 1.1 * RADIUS * abs(aside) if side != "center" else 120
            axes.text(angle, 1.1, fitted(task, room), ha=side, va="center", color=colour("ink"))
        for number, series in enumerate(self.series):
            values = [bar.value for bar in series.bars if bar]
            ink, marker = colour(series.style.token), list(SHAPES[series.style.shape])
            dashes = DASHES[number % len(DASHES)]
            axes.plot([*angles, angles[0]], [*values, values[0]], color=ink, lw=1.7, ls=dashes)
            axes.plot(angles, values, ls="", marker=marker, ms=5.5, color=ink, mew=0)
        draw_legend(drawing, legend)
        return drawing


def radar_choice(series: list[Series], baseline: str) -> list[Series]:
    """The baseline, and of the others those with the highest and the lowest average."""
    if len(series) <= MOST_RADAR_MODELS:
        return series
    others = sorted((entry for entry in series if entry.model != baseline), key=lambda entry: entry.average)
    chosen = [others[0].model, others[-1].model, baseline]
    return [entry for entry in series if entry.model in chosen]


def spread_title(tasks: Sequence[str], series: Sequence[Series]) -> str:
    """Say on which task the models lie widest apart; of one model, its lowest and its highest task."""
    spans = {}
    for place, task in enumerate(tasks):
        values = [bar.value for entry in series if (bar := entry.bars[place])]
        if values:
            spans[task] = (min(values), max(values))
    if len(series) == 1:
        low, high = min(spans, key=lambda task: spans[task]), max(spans, key=lambda task: spans[task])
        return f"From {formats.with_percent(spans[low][0])} ({low}) to {formats.with_percent(spans[high][0])} ({high})"
    widest = max(spans, key=lambda task: spans[task][1] - spans[task][0])
    low_value, high_value = spans[widest]
    return f"Largest spread: {widest}, {formats.percent(low_value)} to {formats.with_percent(high_value)}"
