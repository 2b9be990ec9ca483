"""Figures of harmlessness: maximum toxicity, bad words by layer, the refusal pair, alignment tax against toxicity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isnan

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Layers, Measured, SetToxicity, Toxicity
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.charts import FEWEST_VALUES, Bar, Curve, Curves, Figure, Scatter, Spot
from mplus_eval.reports.harmlessness_phrasing import MEASURES, measured, primary_of
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import Cell, Column, Row, Table, number
from mplus_eval.reports.text import enumerated, one_line

SHOWN_THRESHOLDS = tuple(range(0, 101, 10))
"""Of the hundred and one thresholds of a curve, those in its table."""
WIDE_RATIO = 30
"""Values of a curve that lie further apart than this are drawn on a logarithmic scale."""
DASHED = " Dashed: not comparable."
HOLLOW = " Hollow: not comparable."


def is_comparable(found: SetToxicity) -> bool:
    """Whether a model's toxicity on a set may be set beside others'."""
    return found.contrast is None or found.contrast.verdict is not Verdict.NOT_COMPARABLE


def survival_figure(name: str, place: int, toxicity: Toxicity, looks: Mapping[str, Look]) -> Figure | None:
    """Which share of a set's prompts has a worst answer at or over each threshold, a curve a model."""
    found = {model: one for model in looks if (one := _on(toxicity, model, name)) and one.survival}
    if not found:
        return None
    curves = tuple(
        Curve(
            model,
            looks[model],
            tuple(step / 100 for step in range(101)),
            tuple(100 * share for share in one.survival or ()),
            is_dashed=not is_comparable(one),
        )
        for model, one in found.items()
    )
    answers = formats.counted(toxicity.samples, "answer")
    caption = "Lower is less toxic; the area under a curve is the expected maximum."
    return Figure(
        f"toxicity-distribution-{place}",
        f"{name}: {_survival_title(toxicity, found)}",
        "",
        f"Distribution of maximum toxicity on {name}: share of prompts at or over each threshold, a curve a model.",
        caption + (DASHED if any(curve.is_dashed for curve in curves) else ""),
        Curves(
            curves,
            f"largest toxicity of {answers}, t",
            "prompts at or over t, percent",
            (toxicity.threshold, f"threshold {toxicity.threshold:g}"),
            is_whole=True,
        ),
        _survival_table(found),
    )


def _on(toxicity: Toxicity, model: str, name: str) -> SetToxicity | None:
    found = toxicity.models.get(model)
    return found.sets.get(name) if found else None


def _survival_title(toxicity: Toxicity, found: Mapping[str, SetToxicity]) -> str:
    step = round(toxicity.threshold * 100)
    shares = {model: one.survival[step] for model, one in found.items() if one.survival and is_comparable(one)}
    if not shares:
        return "distribution of maximum toxicity, of models that are not comparable"
    least, most = min(shares, key=lambda m: shares[m]), max(shares, key=lambda m: shares[m])
    worst = f"the worst of {formats.counted(toxicity.samples, 'answer')} reaches {toxicity.threshold:g}"
    if least == most:
        return f"{worst} on {formats.with_percent(shares[least])} of prompts"
    low, high = formats.percent(shares[least]), formats.with_percent(shares[most])
    return f"{worst} on {low} ({least}) to {high} of prompts ({most})"


def _survival_table(found: Mapping[str, SetToxicity]) -> Table:
    rows = tuple(
        Row(
            Cell(f"{step / 100:.1f}"),
            tuple(
                number(formats.percent(one.survival[step]), one.survival[step])
                for one in found.values()
                if one.survival
            ),
        )
        for step in SHOWN_THRESHOLDS
    )
    return Table(
        "Prompts whose largest toxicity is at or over t, percent.", (Column("t", False), *map(Column, found)), rows
    )


def layers_figure(toxicity: Toxicity, looks: Mapping[str, Look]) -> Figure | None:
    """The probability that a bad word comes next, by layer, a curve with its band a model."""
    found = {model: of.layers for model in looks if (of := toxicity.models.get(model)) and of.layers}
    curves = {model: curve for model, layers in found.items() if (curve := _layer_curve(model, looks[model], layers))}
    if not curves:
        return None
    values = [y for curve in curves.values() for y in curve.y]
    is_wide = min(values) > 0 and max(values) > WIDE_RATIO * min(values)
    n_prompts = max(layers.n_prompts for layers in found.values())
    caption = f"Logit lens, {formats.counted(n_prompts, 'prompt')}; bands are intervals."
    if any(x % 1 for curve in curves.values() for x in curve.x):
        caption += " Half a layer is after the attention, a whole one after the MLP."
    name = f"probability of a bad word next, percent{' (log)' if is_wide else ''}"
    chart = Curves(tuple(curves.values()), "layer", name, is_logarithmic=is_wide)
    description = "Probability of bad words by layer with intervals, a curve a model."
    return Figure("bad-words", _layers_title(curves), "", description, caption, chart, _layers_table(found))


def layer_number(point: str, place: int) -> float:
    """Where a point stands: `layer 3, attention` at 2.5, `layer 3, mlp` and `layer 3` at 3; else its place from 1."""
    known = re.fullmatch(r"layer (\d+)(, attention|, mlp)?", point)
    if not known:
        return place + 1.0
    return int(known[1]) - (0.5 if known[2] == ", attention" else 0.0)


def _layer_curve(model: str, look: Look, layers: Layers) -> Curve | None:
    """A model's curve in percent, without points that have no value; None for fewer than three."""
    points = [
        (layer_number(name, place), 100 * mean, (100 * low, 100 * high))
        for place, (name, mean, low, high) in enumerate(
            zip(layers.points, layers.mean, layers.low, layers.high, strict=True)
        )
        if not isnan(mean)
    ]
    if len(points) < FEWEST_VALUES:
        return None
    x, y, band = zip(*points, strict=True)
    return Curve(model, look, x, y, tuple(_known_ends(ends, mean) for ends, mean in zip(band, y, strict=True)))


def _known_ends(ends: Interval, mean: float) -> Interval:
    low, high = ends
    return mean if isnan(low) else max(low, 0.0), mean if isnan(high) else high


def _layers_title(curves: Mapping[str, Curve]) -> str:
    last = {model: curve.y[-1] / 100 for model, curve in curves.items()}
    least, most = min(last, key=lambda m: last[m]), max(last, key=lambda m: last[m])
    if least == most:
        return f"A bad word comes next with {_small_percent(last[least])} after the last layer"
    return (
        f"A bad word comes next with {_small_percent(last[least])} ({least}) to {_small_percent(last[most])} ({most}) "
        "after the last layer"
    )


def _small_percent(fraction: float) -> str:
    return f"{formats.plain(100 * fraction)} %"


def _layers_table(found: Mapping[str, Layers]) -> Table:
    points = max((layers.points for layers in found.values()), key=len)
    at = {model: {name: place for place, name in enumerate(layers.points)} for model, layers in found.items()}
    rows = tuple(
        Row(Cell(one_line(point)), tuple(_layer_cell(layers, at[model].get(point)) for model, layers in found.items()))
        for point in points
    )
    return Table(
        "Probability of a bad word next, percent [interval].", (Column("Point", False), *map(Column, found)), rows
    )


def _layer_cell(layers: Layers, place: int | None) -> Cell:
    if place is None or isnan(layers.mean[place]):
        return Cell("–", css="n")
    low, high = (formats.plain(100 * ends[place]) for ends in (layers.low, layers.high))
    return Cell(
        formats.plain(100 * layers.mean[place]), note=f"[{low}, {high}]", key=f"{layers.mean[place]:.9f}", css="n"
    )


def refusal_figure(name: str, place: int, toxicity: Toxicity, looks: Mapping[str, Look]) -> Figure | None:
    """Refusal of unsafe requests against over-refusal of safe ones, where three models or more have both."""
    spots = []
    for model, look in looks.items():
        found = toxicity.models.get(model)
        pair = found.refusals.get(name) if found else None
        over, refused = (_bar(pair.over_refusal_rate, 100), _bar(pair.refusal_rate, 100)) if pair else (None, None)
        if over and refused:
            spots.append(Spot(model, look, over, refused))
    if len(spots) < FEWEST_VALUES:
        return None
    best = max(spots, key=lambda spot: spot.y.value - spot.x.value)
    rates = f"{best.y.value:.1f} % of unsafe and {best.x.value:.1f} % of safe requests refused"
    title = f"{name}: widest apart in {best.model}, {rates}"
    chart = Scatter(
        tuple(spots), "safe requests refused, percent", "unsafe requests refused, percent", "left and high",
        is_whole=True,
    )  # fmt: skip
    description = f"Refusal on {name}: unsafe requests refused against safe ones refused, a mark a model."
    caption = "With intervals both ways. A model that refuses all, or nothing, lies on the diagonal."
    return Figure(f"refusals-{place}", title, "", description, caption, chart, None)


def _bar(found: Measured, scale: float = 1.0) -> Bar | None:
    if found.value is None:
        return None
    return Bar(found.value * scale, (found.ci[0] * scale, found.ci[1] * scale) if found.ci else None)


def tradeoff_figure(comparison: Comparison, looks: Mapping[str, Look]) -> Figure | None:
    """Alignment tax against toxicity on the primary set, where three models or more have both."""
    toxicity = comparison.toxicity
    spots = [spot for model, look in looks.items() if toxicity and (spot := _spot(model, look, comparison, toxicity))]
    if toxicity is None or len(spots) < FEWEST_VALUES:
        return None
    frontier = unbeaten(spot for spot in spots if not spot.is_hollow)
    lacking = [model for model in looks if model not in {spot.model for spot in spots}]
    measure = MEASURES[toxicity.primary.measure].lower()
    caption = "Intervals both ways."
    line = " The line of steps joins models that no other beats on both axes, by their values."
    caption += line if len(frontier) > 1 else ""
    caption += HOLLOW if any(spot.is_hollow for spot in spots) else ""
    caption += f" Without both axes: {enumerated(lacking)}." if lacking else ""
    chart = Scatter(
        tuple(spots),
        "alignment tax, points lost",
        f"{measure}, {toxicity.primary.set}",
        "left and low",
        tuple((spot.x.value, spot.y.value) for spot in frontier),
    )
    title = f"Beaten by no other on both tax and toxicity: {enumerated([spot.model for spot in frontier])}"
    description = f"Alignment tax against {measure} with intervals, a mark a model."
    return Figure("tax-toxicity", title, "", description, caption, chart, _tradeoff_table(spots, measure))


def unbeaten(spots: Iterable[Spot]) -> list[Spot]:
    """The spots that no other beats on both axes, from left to right: each is lower than all before it."""
    found: list[Spot] = []
    for spot in sorted(spots, key=lambda spot: (spot.x.value, spot.y.value)):
        if not found or spot.y.value < found[-1].y.value:
            found.append(spot)
    return found


def _spot(model: str, look: Look, comparison: Comparison, toxicity: Toxicity) -> Spot | None:
    found, summary = primary_of(toxicity, model), comparison.summary.get(model)
    toxic = _bar(measured(toxicity, found)) if found else None
    if found is None or toxic is None or summary is None or summary.macro_average is None:
        return None
    if model == comparison.baseline:
        return Spot(model, look, Bar(0.0, None), toxic)
    tax, ci = summary.alignment_tax, summary.alignment_tax_ci
    if tax is None:
        return None
    return Spot(
        model, look, Bar(100 * tax, (100 * ci[0], 100 * ci[1]) if ci else None), toxic, not is_comparable(found)
    )


def _tradeoff_table(spots: list[Spot], measure: str) -> Table:
    columns = (Column("Model", False), Column("Tax"), Column("Interval"), Column("Toxicity"), Column("Interval"))
    rows = tuple(
        Row(
            Cell(spot.model, note="not comparable" if spot.is_hollow else ""),
            (
                number(formats.points(spot.x.value / 100), spot.x.value),
                Cell(
                    formats.interval_of_points((spot.x.ci[0] / 100, spot.x.ci[1] / 100)) if spot.x.ci else "–", css="n"
                ),
                number(formats.toxicity(spot.y.value, 3), spot.y.value),
                Cell(formats.interval_of_toxicities(spot.y.ci, 3) if spot.y.ci else "–", css="n"),
            ),
        )
        for spot in spots
    )
    return Table(f"Alignment tax in points, positive is lost; {measure}.", columns, rows)
