"""What the figures show: their data, a title that says the finding, and the same data as a table.

A figure is made only where it holds three values or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Comparison, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.decision import contrasts_of, negated
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import MARKS, NO_SUMMARY, Cell, Column, Row, Table, number
from mplus_eval.reports.units import Unit

FEWEST_VALUES = 3


@dataclass(frozen=True)
class Bar:
    """A value with its interval."""

    value: float
    ci: Interval | None


@dataclass(frozen=True)
class ForestRow:
    """One row of a forest plot: a task or the macro-average. `bar` is None where the cell is missing.

    `margin` is signed: the loss that is still inside it.
    """

    name: str
    bar: Bar | None
    margin: float
    verdict: str
    is_total: bool = False


@dataclass(frozen=True)
class Forest:
    """Differences of one model from the baseline, task by task, on a scale shared by all models."""

    baseline: str
    rows: tuple[ForestRow, ...]
    scale: Interval


@dataclass(frozen=True)
class TaxRow:
    """The alignment tax of one model."""

    model: str
    look: Look
    bar: Bar
    margin: float | None


@dataclass(frozen=True)
class Tax:
    """Alignment tax, a bar a model."""

    baseline: str
    rows: tuple[TaxRow, ...]


@dataclass(frozen=True)
class Series:
    """One model's scores, in the order of the tasks; None where a cell is missing."""

    model: str
    look: Look
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True)
class Bars:
    """Scores of all models by task, with the chance level of each task."""

    tasks: tuple[str, ...]
    chances: tuple[float, ...]
    series: tuple[Series, ...]
    x_name: str = "score, percent"


@dataclass(frozen=True)
class Radar:
    """Scores of three models at most, as a shape."""

    tasks: tuple[str, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True)
class DoseRow:
    """One model: its KL to the base in nats an answer, and its macro-average."""

    model: str
    look: Look
    kl: float
    bar: Bar


@dataclass(frozen=True)
class Dose:
    """Capability against dose, a mark a model, in the order of the dose."""

    rows: tuple[DoseRow, ...]


@dataclass(frozen=True)
class Panel:
    """One quantity along a training: its name with its unit, and a value a step."""

    name: str
    points: tuple[tuple[int, Bar], ...]


@dataclass(frozen=True)
class Trajectory:
    """Quantities along one training, one panel under another on one axis of steps."""

    panels: tuple[Panel, ...]
    last_step: int


@dataclass(frozen=True)
class Curve:
    """One model's curve: x and y of its points, and a band where there is one. A dashed one is not to be compared."""

    model: str
    look: Look
    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[Interval, ...] = ()
    is_dashed: bool = False


@dataclass(frozen=True)
class Curves:
    """One curve a model; `line` is a place on x with what stands there.

    The scale of y may be logarithmic, or whole: from 0 to 100 percent.
    """

    curves: tuple[Curve, ...]
    x_name: str
    y_name: str
    line: tuple[float, str] | None = None
    is_logarithmic: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class Spot:
    """One model by two quantities. A hollow one is not to be compared."""

    model: str
    look: Look
    x: Bar
    y: Bar
    is_hollow: bool = False


@dataclass(frozen=True)
class Scatter:
    """Two quantities, a mark a model; `better` says where to look for the best, `frontier` is a line of steps.

    A whole scale goes from 0 to 100 percent both ways.
    """

    spots: tuple[Spot, ...]
    x_name: str
    y_name: str
    better: Literal["left and low", "left and high"]
    frontier: tuple[tuple[float, float], ...] = ()
    is_whole: bool = False


@dataclass(frozen=True)
class WinRow:
    """The win rate of one model, and at equal length where there is one."""

    model: str
    look: Look
    verdict: str
    bar: Bar
    at_equal_length: Bar | None


@dataclass(frozen=True)
class WinRates:
    """Win rates against the baseline, two rows a model; `margin` is how far below one half counts as preserved."""

    baseline: str
    margin: float
    rows: tuple[WinRow, ...]


@dataclass(frozen=True)
class RatingRow:
    """The rating of one model; an end without bound is None, and the baseline has no interval.

    A hollow one is not to be compared.
    """

    model: str
    look: Look
    value: float
    ci: tuple[float | None, float | None] | None
    is_hollow: bool = False


@dataclass(frozen=True)
class Ratings:
    """Ratings in points, a dot a model, the best first."""

    baseline: str
    rows: tuple[RatingRow, ...]


@dataclass(frozen=True)
class Figure:
    """A figure: its file's name, the finding as a title, a description for who cannot see it, and its data twice."""

    name: str
    title: str
    model: str
    description: str
    caption: str
    chart: Forest | Tax | Bars | Radar | Dose | Trajectory | Curves | Scatter | WinRates | Ratings
    table: Table | None


def forest_figures(comparison: Comparison) -> tuple[Figure, ...]:
    """One forest plot a model, where it has three contrasts or more."""
    tasks = {name: task for name, task in comparison.tasks.items() if Unit.of(task).is_fraction}
    everyone = {model: contrasts_of(model, tasks) for model in comparison.models}
    drawn = {model: contrasts for model, contrasts in everyone.items() if len(contrasts) >= FEWEST_VALUES}
    scale = _shared_scale(contrast for contrasts in drawn.values() for contrast in contrasts.values())
    return tuple(_forest_figure(model, comparison, tasks, contrasts, scale) for model, contrasts in drawn.items())


def _shared_scale(contrasts: Iterable[Contrast]) -> Interval:
    ends = [end for contrast in contrasts for end in (*contrast.ci, -contrast.margin)]
    return min((0.0, *ends)), max((0.0, *ends))


def _forest_figure(
    model: str, comparison: Comparison, tasks: Mapping[str, Task], contrasts: dict[str, Contrast], scale: Interval
) -> Figure:
    rows = []
    for name, task in tasks.items():
        contrast = contrasts.get(name)
        bar = Bar(contrast.difference, contrast.ci) if contrast else None
        margin = (-contrast.margin if task.higher_is_better else contrast.margin) if contrast else 0.0
        rows.append(ForestRow(name, bar, margin, contrast.verdict.value if contrast else "failed"))
    rows += _forest_total(comparison.summary.get(model, NO_SUMMARY))
    return Figure(
        name=f"differences-{model}",
        title=tally(contrasts.values()),
        model=model,
        description=f"Differences of {model} from {comparison.baseline}, one row a task, with intervals and margin.",
        caption="",
        chart=Forest(comparison.baseline, tuple(rows), scale),
        table=contrast_table(contrasts),
    )


def _forest_total(summary: Summary) -> list[ForestRow]:
    tax, interval = summary.alignment_tax, summary.alignment_tax_ci
    if tax is None or interval is None or summary.verdict is None:
        return []
    margin = -(summary.margin or 0.0)
    return [ForestRow("macro-average", Bar(-tax, negated(interval)), margin, summary.verdict.value, True)]


def tally(contrasts: Iterable[Contrast]) -> str:
    """Count verdicts: `9 of 11 tasks preserved, 1 improved, 1 undecided`."""
    counts = Counter(contrast.verdict for contrast in contrasts)
    ordered = sorted(counts, key=lambda verdict: (-counts[verdict], list(Verdict).index(verdict)))
    first, *others = [f"{counts[verdict]} {verdict}" for verdict in ordered]
    number_of, word = first.split(" ", 1)
    return ", ".join([f"{number_of} of {formats.counted(counts.total(), 'task')} {word}", *others])


def contrast_table(contrasts: dict[str, Contrast]) -> Table:
    """The contrasts of one model with all that was counted and tested."""
    headings = ("Difference", "Interval", "Pairs", "Lost", "Gained", "p, adjusted", "p at the margin, adjusted")
    columns = (Column("Task", False), Column("Verdict", False), *(Column(heading) for heading in headings))
    return Table(
        "Points; p-values Holm-adjusted over the tasks of the model.", columns, tuple(map(_row, contrasts.items()))
    )


def _row(item: tuple[str, Contrast]) -> Row:
    task, contrast = item
    mark = MARKS[contrast.verdict]
    cells = (
        Cell(mark.word, css=f"v-{mark.key}"),
        number(formats.points(contrast.difference), contrast.difference),
        Cell(formats.interval_of_points(contrast.ci), css="n"),
        number(formats.count(contrast.n_pairs), contrast.n_pairs),
        number(formats.count(contrast.lost), contrast.lost),
        number(formats.count(contrast.gained), contrast.gained),
        number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
        number(formats.probability(contrast.p_non_inferiority_adjusted), contrast.p_non_inferiority_adjusted),
    )
    return Row(Cell(task), cells)


def tax_figure(comparison: Comparison, looks: dict[str, Look]) -> Figure | None:
    """Alignment tax of all models, where there are three or more."""
    rows = [
        TaxRow(model, looks[model], Bar(summary.alignment_tax, summary.alignment_tax_ci), summary.margin)
        for model, summary in comparison.summary.items()
        if summary.alignment_tax is not None and model != comparison.baseline
    ]
    if len(rows) < FEWEST_VALUES:
        return None
    ordered = tuple(sorted(rows, key=lambda row: row.bar.value))
    least, most = ordered[0], ordered[-1]
    title = (
        f"Alignment tax from {formats.points(least.bar.value)} points ({least.model}) "
        f"to {formats.points(most.bar.value)} ({most.model})"
    )
    caption = f"Macro-average of {comparison.baseline} minus the model's; a bar to the right is a loss. Dashed: margin."
    description = "Alignment tax by model with intervals and the margin."
    return Figure(
        "alignment-tax", title, "", description, caption, Tax(comparison.baseline, ordered), _tax_table(ordered)
    )


def _tax_table(rows: Iterable[TaxRow]) -> Table:
    columns = (Column("Model", False), Column("Tax"), Column("Interval"), Column("Margin"))
    body = tuple(
        Row(
            Cell(row.model),
            (
                number(formats.points(row.bar.value), row.bar.value),
                Cell(formats.interval_of_points(row.bar.ci) if row.bar.ci else "–", css="n"),
                number(formats.margin(row.margin) if row.margin is not None else "–", row.margin),
            ),
        )
        for row in rows
    )
    return Table("Points; positive is lost.", columns, body)
