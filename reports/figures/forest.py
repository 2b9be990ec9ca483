"""Forest plots: the differences of one model from the baseline, task by task, with their margins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.records.base import Interval
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.capability_phrasing import contrasts_of, negated
from mplus_eval.reports.figures.canvas import (
    ROW,
    annotate,
    directions,
    interval_line,
    margin_line,
    points_axis,
    row_labels,
    rows_canvas,
    verdict_mark,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.tables import NO_SUMMARY, Column, Table, TableCell, TableRow, number
from mplus_eval.reports.units import Unit
from mplus_eval.reports.verdicts import MARKS


@dataclass(frozen=True)
class ForestRow:
    """One row of a forest plot: a task or the macro-average. `bar` and `verdict` are None where the cell is missing.

    `margin` is signed: the loss that is still inside it.
    """

    name: str
    bar: Bar | None
    margin: float
    verdict: Verdict | None
    is_total: bool = False


@dataclass(frozen=True)
class ForestChart:
    """Differences of one model from the baseline, task by task, on a scale shared by all models."""

    baseline: str
    rows: tuple[ForestRow, ...]
    scale: Interval

    def draw(self) -> Drawing:
        """Draw a row a task: the loss inside the margin as a band, the interval, and the verdict's mark."""
        names = [row.name for row in self.rows]
        gap = 10 if self.rows[-1].is_total else 0
        height = len(names) * ROW + gap
        drawing, axes = rows_canvas(names, height, top=18, right=44)
        places = [ROW * (index + 0.5) + (gap if row.is_total else 0) for index, row in enumerate(self.rows)]
        points_axis(axes, self.scale, f"difference from {self.baseline}, points")
        row_labels(axes, names, places)
        for row, place in zip(self.rows, places, strict=True):
            if row.bar is None or row.verdict is None:
                annotate(axes, "no result", place, 0.5, 0, "center", colour("muted"))
                continue
            mark = MARKS[row.verdict]
            ink, edges = colour(mark.ink), [place - ROW / 2, place + ROW / 2]
            axes.fill_betweenx(edges, 0, row.margin, color=colour("surface"), lw=0, zorder=0)
            margin_line(axes, row.margin, place)
            interval_line(axes, row.bar, place, ink)
            verdict_mark(axes, row.bar.value, place, mark)
            annotate(axes, formats.points(row.bar.value), place, 1, 43, "right", ink, weight="bold")
        directions(axes, height, "← worse", "better →")
        return drawing


def forest_figures(data: FigureData) -> Iterable[Figure]:
    """One forest plot a model, where it has three contrasts or more: every task, and the macro-average."""
    comparison = data.comparison
    tasks = {name: task for name, task in comparison.tasks.items() if Unit.of(task).is_fraction}
    everyone = {model: contrasts_of(model, tasks) for model in comparison.models}
    drawn = {model: contrasts for model, contrasts in everyone.items() if len(contrasts) >= FEWEST_VALUES}
    shown = [contrast for contrasts in drawn.values() for contrast in contrasts.values()]
    ends = [0.0, *(end for contrast in shown for end in (*contrast.ci, -contrast.margin))]
    for model, contrasts in drawn.items():
        rows = []
        for name, task in tasks.items():
            if contrast := contrasts.get(name):
                margin = -contrast.margin if task.higher_is_better else contrast.margin
                rows.append(ForestRow(name, Bar(contrast.difference, contrast.ci), margin, contrast.verdict))
            else:
                rows.append(ForestRow(name, None, 0.0, None))
        summary = comparison.summary.get(model, NO_SUMMARY)
        tax, interval = summary.alignment_tax, summary.alignment_tax_ci
        if tax is not None and interval is not None and summary.verdict is not None:
            bar, margin = Bar(-tax, negated(interval)), -(summary.margin or 0.0)
            rows.append(ForestRow("macro-average", bar, margin, summary.verdict, is_total=True))
        yield Figure(
            name=f"differences-{model}",
            section="differences",
            model=model,
            title=count_verdicts(contrasts.values()),
            description=f"Differences of {model} from {comparison.baseline}, one row per task, with intervals and "
            "margin.",
            chart=ForestChart(comparison.baseline, tuple(rows), (min(ends), max(ends))),
            table=contrast_table(contrasts),
            has_markdown_table=False,
        )


def count_verdicts(contrasts: Iterable[Contrast]) -> str:
    """Count verdicts: `9 of 11 tasks preserved, 1 improved, 1 undecided`."""
    counts = Counter(contrast.verdict for contrast in contrasts)
    ordered = sorted(counts, key=lambda verdict: (-counts[verdict], list(Verdict).index(verdict)))
    first, *others = ordered
    n_tasks = formats.counted(counts.total(), "task")
    return ", ".join([f"{counts[first]} of {n_tasks} {first}", *(f"{counts[verdict]} {verdict}" for verdict in others)])


def contrast_table(contrasts: Mapping[str, Contrast]) -> Table:
    """The contrasts of one model with all that was counted and tested."""
    headings = ("Difference", "CI", "Pairs", "Lost", "Gained", "p, adjusted", "p at the margin, adjusted")
    rows = []
    for task, contrast in contrasts.items():
        mark = MARKS[contrast.verdict]
        cells = (
            TableCell(mark.word, css=f"v-{mark.key}"),
            number(formats.points(contrast.difference), contrast.difference),
            TableCell(formats.interval_of_points(contrast.ci), css="n"),
            number(formats.count(contrast.n_pairs), contrast.n_pairs),
            number(formats.count(contrast.lost), contrast.lost),
            number(formats.count(contrast.gained), contrast.gained),
            number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
            number(formats.probability(contrast.p_non_inferiority_adjusted), contrast.p_non_inferiority_adjusted),
        )
        rows.append(TableRow(TableCell(task), cells, task=task))
    return Table(
        "Points; p-values adjusted over the tasks of the model.",
        (Column("Task", False), Column("Verdict", False), *map(Column, headings)),
        tuple(rows),
    )
