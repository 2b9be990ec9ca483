"""Ratings of models in points, from all judged pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.reports.conversation_phrasing import judged_models, rating_difference, rating_interval, rating_points
from mplus_eval.reports.conversation_tables import ratings_table
from mplus_eval.reports.figures.canvas import (
    ROW,
    annotate,
    model_mark,
    row_labels,
    rows_canvas,
    scale_axis,
    ticks_between,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, HOLLOW, Figure, FigureData, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.verdicts import is_comparable


@dataclass(frozen=True)
class RatingRow(Styled):
    """The rating of one model; an end without bound is None, and the baseline has no interval.

    A hollow one is not to be compared.
    """

    value: float
    ci: tuple[float | None, float | None] | None
    is_hollow: bool = False


@dataclass(frozen=True)
class RatingChart:
    """Ratings in points, a dot a model, the best first."""

    baseline: str
    rows: tuple[RatingRow, ...]

    def draw(self) -> Drawing:
        """Draw dots with intervals; an interval without bound on a side goes on to the edge as an arrow."""
        names = [row.model for row in self.rows]
        drawing, axes = rows_canvas(names, ROW * len(names), top=6, right=44)
        ends = [end for row in self.rows for end in (row.value, *(row.ci or ())) if end is not None]
        low, high = min(ends), max(ends)
        room = 0.06 * (high - low) or 1.0
        edges = low - room, high + room
        axes.set_xlim(*edges)
        ticks = ticks_between(low, high, 4, room)
        scale_axis(axes, ticks, [rating_points(tick) for tick in ticks], f"rating, points above {self.baseline}")
        axes.axvline(0, color=colour("strong"), lw=1, zorder=1)
        places = [ROW * (number + 0.5) for number in range(len(names))]
        row_labels(axes, names, places, [row.style.token for row in self.rows])
        for row, place in zip(self.rows, places, strict=True):
            ink = colour(row.style.token)
            if row.ci:
                bounds = [edge if end is None else end for end, edge in zip(row.ci, edges, strict=True)]
                axes.plot(bounds, [place, place], color=ink, lw=1.6, solid_capstyle="butt", zorder=3)
                for end, edge, arrow in zip(row.ci, edges, "<>", strict=True):
                    if end is None:
                        axes.plot([edge], [place], marker=arrow, ms=6, color=ink, mew=0, clip_on=False, zorder=4)
            model_mark(axes, row.value, place, row.style, is_hollow=row.is_hollow)
            annotate(axes, rating_points(row.value), place, 1, 43, "right", ink)
        return drawing


def rating_figures(data: FigureData) -> Iterable[Figure]:
    """Ratings as dots, for three models or more, the baseline among them."""
    base = data.comparison.baseline
    rows = [
        RatingRow(model, data.styles[model], rating.value, rating.ci, not is_comparable(judging))
        for model, judging in judged_models(data.comparison).items()
        if (rating := judging.rating) and rating.value is not None
    ]
    rows = sorted([*rows, RatingRow(base, data.styles[base], 0.0, None)], key=lambda row: -row.value)
    if len(rows) < FEWEST_VALUES:
        return
    best = next(row for row in rows if not row.is_hollow)
    caption = f"Bradley–Terry on all judged pairs; {data.confidence} over dialogues."
    if any(None in (row.ci or ()) for row in rows):
        caption += " An arrow: no bound on that side."
    second = next((row for row in rows if not row.is_hollow and row is not best), None)
    lead = rating_difference(data.comparison, best.model, second.model) if second else None
    if lead and (lead.ci[0] is None or lead.ci[0] <= 0):
        difference = f"{rating_points(lead.value)}, {rating_interval(lead.ci)}"
        caption += f" {lead.model} is not shown to be above {lead.against}: {difference}."
    points = "" if best.model == base else f", {rating_points(best.value)} compared with {base}"
    yield Figure(
        name="ratings",
        section="conversation",
        title=f"Highest Bradley–Terry rating: {best.model}{points}",
        description=f"Bradley–Terry ratings with intervals, {base} at 0, a dot per model.",
        chart=RatingChart(base, tuple(rows)),
        caption=caption + (HOLLOW if any(row.is_hollow for row in rows) else ""),
        table=ratings_table(data.comparison),
    )
