"""The trajectory drawn: quantities along one training, one panel under another on one axis of steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.reports import formats
from mplus_eval.reports.figures.canvas import (
    WIDTH,
    blank_canvas,
    fitted,
    horizontal_axis,
    plain_axes,
    value_axis,
    values_and_ends,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Figure, FigureData
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.tables import NO_NUMBER, Column, Table, TableCell, TableRow, number
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.trajectory import (
    MACRO_AVERAGE,
    Panel,
    choice_of_step,
    over_optimisation,
    panels_of,
    trajectories,
)

PANEL_HEIGHT = 92


@dataclass(frozen=True)
class TrajectoryChart:
    """Quantities along one training, one panel under another on one axis of steps."""

    panels: tuple[Panel, ...]
    last_step: int

    def draw(self) -> Drawing:
        """Draw a line a panel, with intervals; the lowest one carries the steps."""
        height = PANEL_HEIGHT * len(self.panels) + 36
        drawing = blank_canvas(height)
        for index, panel in enumerate(self.panels):
            axes = plain_axes(drawing, PANEL_HEIGHT * index + 22, PANEL_HEIGHT - 34, height)
            bars = panel.points.values()
            value_axis(axes, values_and_ends(bars))
            is_last = index == len(self.panels) - 1
            horizontal_axis(axes, self.last_step or 1, "step" if is_last else "", is_labelled=is_last)
            for step, bar in panel.points.items():
                if bar.ci:
                    axes.plot([step] * 2, bar.ci, color=colour("strong"), lw=1.4, zorder=2)
            ink, values = colour("ink"), [bar.value for bar in bars]
            axes.plot(list(panel.points), values, color=ink, lw=1.4, marker="o", ms=4.5, mew=0, clip_on=False, zorder=3)
            axes.annotate(
                fitted(panel.name, WIDTH - 50), (0, 1), (0, 6), xycoords="axes fraction",
                textcoords="offset points", color=ink,
            )  # fmt: skip
        return drawing


def trajectory_figures(data: FigureData) -> Iterable[Figure]:
    """One figure a trajectory that has three points or more, the baseline and the final model among them."""
    comparison = data.with_steps
    for place, (trained, steps) in enumerate(trajectories(comparison).items(), start=1):
        panels, name = tuple(panels_of(steps)), one_line(trained)
        if len(steps) < FEWEST_VALUES or not panels:
            continue
        left_out = [formats.count(step.step) for step in steps if step.toxicity and step.toxicity.bar is None]
        aside = f" Toxicity is not comparable at step {enumerated(left_out)}, and not drawn there." if left_out else ""
        # A comparison of an older version does not know what the averages are over.
        averages = "Bars are CI of the macro-average, and points may be over different items."
        if points := comparison.trajectories.get(trained):
            over = f"here over the {formats.count(points.n_items)} items that all points scored"
            averages = f"Bars are CI of the macro-average, {over}."
            if points.withheld:
                averages = f"There is no macro-average: {one_line(points.withheld)}."
            averages = f"{averages} {choice_of_step(points)}".rstrip()
        rows = []
        for step in sorted({step for panel in panels for step in panel.points}):
            cells = []
            for bar in (panel.points.get(step) for panel in panels):
                interval = f" [{formats.plain(bar.ci[0])}, {formats.plain(bar.ci[1])}]" if bar and bar.ci else ""
                cells.append(number(formats.plain(bar.value) + interval, bar.value) if bar else NO_NUMBER)
            rows.append(TableRow(TableCell(formats.count(step)), tuple(cells)))
        columns = (Column("Step", False), *(Column(panel.name) for panel in panels))
        yield Figure(
            name=f"trajectory-{place}",
            section="trajectory",
            title=f"{name}: {trajectory_title(panels)}",
            description=f"Training of {name} by step: {', '.join(panel.name for panel in panels)}.",
            chart=TrajectoryChart(panels, steps[-1].step),
            caption=f"Step 0 is the baseline. {averages}{aside} One run of one seed.",
            table=Table("By step of training.", columns, tuple(rows)),
        )


def trajectory_title(panels: Sequence[Panel]) -> str:
    """Name the over-optimisation, where there is one; else the best average."""
    if over_optimised := over_optimisation(panels):
        return over_optimised
    averages = next((panel.points for panel in panels if panel.name == MACRO_AVERAGE), None)
    if averages is None:
        return "what changed by step"
    best = max(averages, key=lambda step: averages[step].value)
    return f"the macro-average is highest at step {best}, {averages[best].value:.1f} %"
