"""Win rates by category: as a radar for the shape, and as the bars beside it, which are the ones to read."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.reports.conversation_phrasing import judged_models
from mplus_eval.reports.figures.bars import (
    MOST_RADAR_AXES,
    BarChart,
    RadarChart,
    Series,
    radar_choice,
    spread_title,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData
from mplus_eval.reports.text import enumerated, one_line, truncate_end

MOST_CATEGORIES = 24
LABEL_LENGTH = 40


def category_figures(data: FigureData) -> Iterable[Figure]:
    """The radar by category, where there are three or more, and the bars."""
    models, base = judged_models(data.comparison), data.comparison.baseline
    names = list(dict.fromkeys(name for judging in models.values() for name in judging.by_category))
    if not 2 <= len(names) <= MOST_CATEGORIES:
        return
    series = []
    for model, judging in models.items():
        wins = [judging.by_category.get(name) for name in names]
        bars = tuple(Bar.known(record.value, record.ci) if record else None for record in wins)
        series.append(Series(model, data.styles[model], bars))
    labels = tuple(truncate_end(one_line(name), LABEL_LENGTH) or "–" for name in names)
    whole = [entry for entry in series if all(entry.bars)]
    if FEWEST_VALUES <= len(labels) <= MOST_RADAR_AXES and whole:
        even = Series(base, data.styles[base], (Bar(0.5, None),) * len(labels))
        chosen = tuple(radar_choice([even, *whole], base))
        shown = enumerated([entry.model for entry in chosen if entry is not even])
        choice = "The best and the worst on average. " if len(chosen) <= len(whole) else ""
        yield Figure(
            name="conversation-radar",
            section="conversation",
            title=f"Win-rate profiles of {shown} by category",
            description=f"Radar of win rates of {shown} by category.",
            chart=RadarChart(labels, chosen),
            caption=f"{choice}Percent, rings at 25, 50, 75 and 100; {base} is 50 by definition. Use the bars to "
            "compare: a radar’s area depends on the order of categories.",
        )
    if sum(bar is not None for entry in series for bar in entry.bars) >= FEWEST_VALUES:
        dashed = f"; dashed: 50, as often as {base}."
        if len(series) > 1:
            order = ", ".join(entry.model for entry in series)
            dashed = f"; bars in the order {order}. Dashed: 50, as often as {base}."
        title = spread_title(labels, series)
        yield Figure(
            name="conversation-categories",
            section="conversation",
            title=f"By category, {title[:1].lower()}{title[1:]}",
            description=f"Win rates against {base} by category as bars, with intervals.",
            chart=BarChart(labels, (0.5,) * len(labels), tuple(series), f"win rate against {base}, percent"),
            caption=f"Percent, with {data.confidence}{dashed}",
        )
