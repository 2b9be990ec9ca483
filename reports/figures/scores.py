"""Figures of scores: the radar for the shape, and the bars beside it, which are the ones to read."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.figures.bars import (
    MOST_RADAR_AXES,
    BarChart,
    RadarChart,
    Series,
    radar_choice,
    spread_title,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData
from mplus_eval.reports.tables import NO_NUMBER, Column, Table, TableCell, TableRow, number
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.units import Unit


def score_figures(data: FigureData) -> Iterable[Figure]:
    """The radar, where three tasks or more have scores, and the bars beside it, which are the ones to read."""
    comparison = data.comparison
    fractions = {name: task for name, task in comparison.tasks.items() if Unit.of(task).is_fraction}
    tasks = tuple(fractions)
    scores = {model: [task.scores.get(model) for task in fractions.values()] for model in comparison.models}
    series = [
        Series(model, data.styles[model], tuple(Bar.known(score.value, score.ci) if score else None for score in of))
        for model, of in scores.items()
    ]
    whole = [entry for entry in series if all(entry.bars)]
    if FEWEST_VALUES <= len(tasks) <= MOST_RADAR_AXES and whole:
        chosen = tuple(radar_choice(whole, comparison.baseline))
        names = enumerated([entry.model for entry in chosen])
        choice = "The baseline, the best and the worst macro-average. " if len(chosen) < len(whole) else ""
        yield Figure(
            name="radar",
            section="scores",
            title=f"Score profiles of {names}",
            description=f"Radar of task scores of {names}.",
            chart=RadarChart(tasks, chosen),
            caption=f"{choice}Percent, rings at 25, 50, 75 and 100. Use the bars to compare: a radar’s area depends on "
            "the order of tasks.",
        )
    if sum(bar is not None for entry in series for bar in entry.bars) >= FEWEST_VALUES:
        chances = tuple(comparison.tasks[task].chance for task in tasks)
        order = f"; bars in the order {', '.join(comparison.models)}" if len(series) > 1 else ""
        yield Figure(
            name="scores",
            section="scores",
            title=spread_title(tasks, series),
            description="Scores by task as bars, with confidence intervals and chance.",
            chart=BarChart(tasks, chances, tuple(series)),
            caption=f"Percent, with {data.confidence}{order}.{' Dashed: chance.' if any(chances) else ''}",
            table=score_table(comparison),
            has_markdown_table=False,
        )


def score_table(comparison: Comparison) -> Table:
    """Every model's score on every task, those in units of their own too."""
    rows = []
    for name, task in comparison.tasks.items():
        unit, cells = Unit.of(task), [number(formats.percent(task.chance), task.chance)]
        for model in comparison.models:
            score = task.scores.get(model)
            if score is None or score.value is None:
                cells.append(NO_NUMBER)
                continue
            interval = f" {unit.score_interval(score.ci)}" if score.ci else ""
            cells.append(TableCell(unit.score(score.value), note=interval, key=f"{score.value:.6f}", css="n"))
        rows.append(TableRow(TableCell(name, note=one_line(task.metric)), tuple(cells)))
    confidence = formats.whole_percent(1 - comparison.level)
    columns = (Column("Task", False), Column("Chance"), *(Column(model, model=model) for model in comparison.models))
    return Table(f"Scores in percent [{confidence} CI].", columns, tuple(rows))
