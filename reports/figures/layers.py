"""Bad words by layer: how probable one is as the next token, read from the residual stream at every point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isnan

from mplus_eval.records.toxicity import Layers
from mplus_eval.reports import formats
from mplus_eval.reports.figures.curves import CurveChart, ModelCurve
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Figure, FigureData
from mplus_eval.reports.palette import ModelStyle
from mplus_eval.reports.tables import NO_NUMBER, Column, Table, TableCell, TableRow
from mplus_eval.reports.text import one_line

WIDE_RATIO = 30
"""Values of a curve that lie further apart than this are drawn on a logarithmic scale."""


def layers_figures(data: FigureData) -> Iterable[Figure]:
    """The probability that a bad word comes next, by layer, a curve with its band a model."""
    toxicity = data.comparison.toxicity
    known = toxicity.models if toxicity else {}
    by_model = {model: layers for model in data.styles if model in known and (layers := known[model].layers)}
    curves = [curve for model, layers in by_model.items() if (curve := layer_curve(model, data.styles[model], layers))]
    if not curves:
        return
    values = [y for curve in curves for y in curve.y]
    is_wide = min(values) > 0 and max(values) > WIDE_RATIO * min(values)
    n_prompts = max(layers.n_prompts for layers in by_model.values())
    caption = f"Logit lens, {formats.counted(n_prompts, 'prompt')}; bands are CI."
    if any(x % 1 for curve in curves for x in curve.x):
        caption += " Half a layer is after the attention, a whole one after the MLP."
    last = {curve.model: f"{formats.plain(curve.y[-1])} %" for curve in curves}
    least, most = (choose(curves, key=lambda curve: curve.y[-1]).model for choose in (min, max))
    ends = last[least] if least == most else f"{last[least]} ({least}) to {last[most]} ({most})"
    name = f"probability of a bad word next, percent{' (log)' if is_wide else ''}"
    yield Figure(
        name="bad-words",
        section="harmlessness",
        heading="Bad words, layer by layer",
        title=f"A bad word comes next with {ends} after the last layer",
        description="Probability of bad words by layer with intervals, a curve per model.",
        chart=CurveChart(tuple(curves), "layer", name, is_logarithmic=is_wide),
        caption=caption,
        table=layers_table(by_model),
    )


def layer_curve(model: str, style: ModelStyle, layers: Layers) -> ModelCurve | None:
    """A model's curve in percent, without points that have no value; None for fewer than three.

    An end of an interval that is not known lies at the value itself.
    """
    xs, ys, band = [], [], []
    for place, name in enumerate(layers.points):
        mean, low, high = 100 * layers.mean[place], 100 * layers.low[place], 100 * layers.high[place]
        if not isnan(mean):
            xs.append(layer_number(name, place))
            ys.append(mean)
            band.append((mean if isnan(low) else max(low, 0.0), mean if isnan(high) else high))
    return ModelCurve(model, style, tuple(xs), tuple(ys), tuple(band)) if len(xs) >= FEWEST_VALUES else None


def layer_number(point: str, place: int) -> float:
    """Where a point stands: `layer 3, attention` at 2.5, `layer 3, mlp` and `layer 3` at 3; else its place from 1."""
    numbered = re.fullmatch(r"layer (\d+)(, attention|, mlp)?", point)
    if not numbered:
        return place + 1.0
    return int(numbered[1]) - (0.5 if numbered[2] == ", attention" else 0.0)


def layers_table(by_model: Mapping[str, Layers]) -> Table:
    """The same in numbers, a row a point of the model that has most of them."""
    points = max((layers.points for layers in by_model.values()), key=len)
    places = {model: {name: place for place, name in enumerate(layers.points)} for model, layers in by_model.items()}
    rows = []
    for point in points:
        cells = []
        for model, layers in by_model.items():
            place = places[model].get(point)
            if place is None or isnan(layers.mean[place]):
                cells.append(NO_NUMBER)
                continue
            mean, low, high = (formats.plain(100 * ends[place]) for ends in (layers.mean, layers.low, layers.high))
            cells.append(TableCell(mean, note=f"[{low}, {high}]", key=f"{layers.mean[place]:.9f}", css="n"))
        rows.append(TableRow(TableCell(one_line(point)), tuple(cells)))
    columns = (Column("Point", False), *(Column(model, model=model) for model in by_model))
    return Table("Probability of a bad word next, percent [CI].", columns, tuple(rows))
