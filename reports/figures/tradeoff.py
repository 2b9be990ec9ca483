"""Alignment tax against toxicity: which models no other beats on both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.figures.figure import FEWEST_VALUES, HOLLOW, Bar, Figure, FigureData
from mplus_eval.reports.figures.scatter import Path, Point, ScatterChart
from mplus_eval.reports.figures.tax import average_difference
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_named, primary_of
from mplus_eval.reports.palette import ModelStyle
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow, interval_if_known, number
from mplus_eval.reports.text import enumerated
from mplus_eval.reports.units import TOXICITY
from mplus_eval.reports.verdicts import NOT_COMPARABLE, is_comparable

UNTRAINED = ModelStyle("muted", "base")
"""How the line of a training looks whose final model is not among those compared."""


def tradeoff_figures(data: FigureData) -> Iterable[Figure]:
    """Alignment tax against toxicity on the primary set, where three models or more have both."""
    toxicity = data.comparison.toxicity
    if toxicity is None:
        return
    points = [
        point
        for model, style in data.styles.items()
        if (point := tradeoff_point(model, style, data.comparison, toxicity))
    ]
    trainings = saved_steps(data)
    n_steps = sum(map(len, trainings.values()))
    if len(points) + n_steps < FEWEST_VALUES or not points:
        return
    frontier = unbeaten(point for point in points if not point.is_hollow)
    lacking = [model for model in data.styles if model not in {point.model for point in points}]
    measure = primary_named(toxicity)
    caption = f"{data.confidence} both ways."
    if len(frontier) > 1:
        caption += " The line of steps joins the Pareto-optimal models, by their values."
    if n_steps:
        caption += " A coloured line is a training, with a dot for each saved step whose tax and toxicity are known."
    drawn = [*points, *(step for steps in trainings.values() for step in steps)]
    caption += HOLLOW if any(point.is_hollow for point in drawn) else ""
    caption += f" Without both axes: {enumerated(lacking)}." if lacking else ""
    yield Figure(
        name="tax-toxicity",
        section="tax",
        heading="Alignment tax against toxicity",
        title=f"Pareto-optimal on tax and toxicity: {enumerated([point.model for point in frontier])}",
        description=f"Alignment tax against {measure} with intervals, a mark per model.",
        chart=ScatterChart(
            tuple(points),
            "macro-average, points from the baseline",
            f"{measure}, {toxicity.primary.set}",
            "right and low",
            tuple((point.x.value, point.y.value) for point in frontier),
            paths=tuple(path_of(name, steps, points, data) for name, steps in trainings.items() if steps),
        ),
        caption=caption,
        table=tradeoff_table(drawn, measure, data),
    )


def tradeoff_point(model: str, style: ModelStyle, comparison: Comparison, toxicity: Toxicity) -> Point | None:
    """One model by its tax, minus being a loss and the baseline at 0, and its toxicity; None where it lacks one."""
    on_primary, summary = primary_of(toxicity, model), comparison.summary.get(model)
    if on_primary is None or summary is None or summary.macro_average is None:
        return None
    measured = primary_measure(toxicity, on_primary)
    toxic = Bar.known(measured.value, measured.ci)
    if model == comparison.baseline:
        return Point(model, style, Bar(0.0, None), toxic) if toxic else None
    lost = average_difference(summary)
    tax = Bar.known(lost.value, lost.ci, 100) if lost else None
    return Point(model, style, tax, toxic, not is_comparable(on_primary.contrast)) if tax and toxic else None


def unbeaten(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats on both axes, from right to left: each is lower than all before it."""
    frontier: list[Point] = []
    for point in sorted(points, key=lambda point: (-point.x.value, point.y.value)):
        if not frontier or point.y.value < frontier[-1].y.value:
            frontier.append(point)
    return frontier


def saved_steps(data: FigureData) -> dict[str, list[Point]]:
    """The saved steps of every training that have both axes, in order, by the name of what is trained."""
    whole, toxicity = data.with_steps, data.with_steps.toxicity
    trainings: dict[str, list[tuple[int, Point]]] = {}
    for model, entry in whole.models.items() if toxicity else ():
        if entry.trajectory is None or entry.trained_steps is None or toxicity is None:
            continue
        style = data.styles.get(entry.trajectory, UNTRAINED)
        if point := tradeoff_point(model, style, whole, toxicity):
            trainings.setdefault(entry.trajectory, []).append((entry.trained_steps, point))
    return {name: [point for _, point in sorted(steps, key=lambda step: step[0])] for name, steps in trainings.items()}


def path_of(trained: str, steps: Sequence[Point], points: Sequence[Point], data: FigureData) -> Path:
    """The line of one training from the baseline over its saved steps to the final model."""
    places = {point.model: (point.x.value, point.y.value) for point in points}
    style = data.styles.get(trained, UNTRAINED)
    return Path(style, tuple(steps), places.get(data.comparison.baseline), places.get(trained))


def tradeoff_table(points: Sequence[Point], measure: str, data: FigureData) -> Table:
    """The same in numbers, saved steps after the models."""
    interval = data.confidence
    columns = (Column("Model", False), Column("Macro-average"), Column(interval), Column("Toxicity"), Column(interval))
    rows = []
    for point in points:
        tax, tax_ci = point.x.value / 100, point.x.ci and (point.x.ci[0] / 100, point.x.ci[1] / 100)
        cells = (
            number(formats.points(tax), point.x.value),
            interval_if_known(tax_ci, formats.interval_of_points),
            number(TOXICITY.score(point.y.value), point.y.value),
            interval_if_known(point.y.ci, TOXICITY.score_interval),
        )
        heading = TableCell(point.model, note=NOT_COMPARABLE.word if point.is_hollow else "")
        rows.append(TableRow(heading, cells, model=data.with_steps.models[point.model].trajectory or point.model))
    return Table(f"Alignment tax as points from the baseline, minus is a loss; {measure}.", columns, tuple(rows))
