"""Figures of scores: the radar for the shape, and the bars beside it, which are the ones to read."""

from __future__ import annotations

from mplus_eval.records.comparison import Comparison, Score
from mplus_eval.reports import formats
from mplus_eval.reports.charts import FEWEST_VALUES, Bar, Bars, Figure, Radar, Series
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import Cell, Column, Row, Table, number
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.units import Unit

MOST_RADAR_AXES = 16
MOST_RADAR_MODELS = 3


def score_figures(comparison: Comparison, looks: dict[str, Look]) -> tuple[Figure, ...]:
    """The radar, where three tasks or more have scores, and the bars beside it, which are the ones to read."""
    fractions = {name: task for name, task in comparison.tasks.items() if Unit.of(task).is_fraction}
    series = [
        Series(model, looks[model], tuple(_bar(task.scores.get(model)) for task in fractions.values()))
        for model in comparison.models
    ]
    tasks = tuple(fractions)
    n_values = sum(bar is not None for one in series for bar in one.bars)
    figures = [_radar_figure(tasks, comparison, series)]
    if n_values >= FEWEST_VALUES:
        figures.append(_bars_figure(tasks, comparison, series))
    return tuple(figure for figure in figures if figure)


def _bar(score: Score | None) -> Bar | None:
    return Bar(score.value, score.ci) if score and score.value is not None else None


def _radar_figure(tasks: tuple[str, ...], comparison: Comparison, series: list[Series]) -> Figure | None:
    whole = [one for one in series if all(one.bars)]
    if not FEWEST_VALUES <= len(tasks) <= MOST_RADAR_AXES or not whole:
        return None
    chosen = tuple(radar_choice(whole, comparison.baseline))
    names = enumerated([one.model for one in chosen])
    caption = "Percent, rings at 25, 50, 75 and 100. Area means nothing, task order changes the shape: read the bars."
    if len(chosen) < len(whole):
        caption = f"The baseline, the best and the worst macro-average. {caption}"
    return Figure("radar", f"Profile of {names}, for shape only", "", f"Radar of task scores of {names}.", caption,
                  Radar(tasks, chosen), None)  # fmt: skip


def radar_choice(series: list[Series], baseline: str) -> list[Series]:
    """The baseline, and of the others those with the highest and the lowest average."""
    if len(series) <= MOST_RADAR_MODELS:
        return series
    others = sorted((one for one in series if one.model != baseline), key=_average)
    chosen = [others[0].model, others[-1].model, baseline]
    return [one for one in series if one.model in chosen]


def _average(series: Series) -> float:
    values = [bar.value for bar in series.bars if bar]
    return sum(values) / len(values)


def _bars_figure(tasks: tuple[str, ...], comparison: Comparison, series: list[Series]) -> Figure:
    chances = tuple(comparison.tasks[task].chance for task in tasks)
    caption = "Percent, with intervals."
    if len(series) > 1:
        caption = f"Percent, with intervals; bars in the order {', '.join(one.model for one in series)}."
    if any(chances):
        caption += " Dashed: chance."
    description = "Scores by task as bars, with intervals and chance."
    chart = Bars(tasks, chances, tuple(series))
    return Figure("scores", spread_title(tasks, series), "", description, caption, chart, _score_table(comparison))


def spread_title(tasks: tuple[str, ...], series: list[Series]) -> str:
    """Say on which task the models lie widest apart; of one model, its lowest and its highest task."""
    spans = {}
    for place, task in enumerate(tasks):
        values = [bar.value for one in series if (bar := one.bars[place])]
        if values:
            spans[task] = (min(values), max(values))
    if len(series) == 1:
        low, high = min(spans, key=lambda task: spans[task]), max(spans, key=lambda task: spans[task])
        return f"From {formats.with_percent(spans[low][0])} ({low}) to {formats.with_percent(spans[high][0])} ({high})"
    widest = max(spans, key=lambda task: spans[task][1] - spans[task][0])
    low_value, high_value = spans[widest]
    return f"Widest apart on {widest}: {formats.percent(low_value)} to {formats.with_percent(high_value)}"


def _score_table(comparison: Comparison) -> Table:
    columns = (Column("Task", False), Column("Chance"), *(Column(name) for name in comparison.models))
    rows = tuple(
        Row(
            Cell(name, note=one_line(task.metric)),
            (
                number(formats.percent(task.chance), task.chance),
                *(_score(task.scores.get(m), Unit.of(task)) for m in comparison.models),
            ),
        )
        for name, task in comparison.tasks.items()
    )
    confidence = formats.whole_percent(1 - comparison.level)
    return Table(f"Scores in percent [{confidence} interval].", columns, rows)


def _score(score: Score | None, unit: Unit) -> Cell:
    if score is None or score.value is None:
        return Cell("–", css="n")
    interval = f" {unit.score_interval(score.ci)}" if score.ci else ""
    return Cell(unit.score(score.value), note=interval, key=f"{score.value:.6f}", css="n")
