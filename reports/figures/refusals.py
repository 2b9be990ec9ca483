"""The refusal pair: unsafe requests refused against safe ones refused."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData
from mplus_eval.reports.figures.scatter import Point, ScatterChart
from mplus_eval.reports.harmlessness_refusals import refusal_sets


def refusal_figures(data: FigureData) -> Iterable[Figure]:
    """A figure a set of requests, where three models or more have both rates."""
    toxicity = data.comparison.toxicity
    for place, name in enumerate(refusal_sets(data.comparison), start=1):
        points = []
        for model, style in data.styles.items():
            on_all = toxicity.models.get(model) if toxicity else None
            pair = on_all.refusals.get(name) if on_all else None
            if pair is None:
                continue
            over = Bar.known(pair.over_refusal_rate.value, pair.over_refusal_rate.ci, 100)
            refused = Bar.known(pair.refusal_rate.value, pair.refusal_rate.ci, 100)
            if over and refused:
                points.append(Point(model, style, over, refused))
        if len(points) < FEWEST_VALUES:
            continue
        best = max(points, key=lambda point: point.y.value - point.x.value)
        rates = f"{best.y.value:.1f} % of unsafe and {best.x.value:.1f} % of safe requests refused"
        yield Figure(
            name=f"refusals-{place}",
            section="harmlessness",
            part=name,
            title=f"{name}: largest spread in {best.model}, {rates}",
            description=f"Refusal on {name}: unsafe requests refused against safe ones refused, a mark per model.",
            chart=ScatterChart(
                tuple(points),
                "safe requests refused, percent",
                "unsafe requests refused, percent",
                "left and high",
                is_whole=True,
            ),
            caption=f"{data.confidence} both ways. A model that refuses all, or nothing, lies on the diagonal.",
        )
