"""The distribution of maximum toxicity: which share of prompts has a worst answer at or over each threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mplus_eval.records.toxicity import Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.figures.curves import CurveChart, ModelCurve
from mplus_eval.reports.figures.figure import Figure, FigureData
from mplus_eval.reports.harmlessness_tables import sampled_sets
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow, number
from mplus_eval.reports.verdicts import is_comparable

SHOWN_THRESHOLDS = tuple(range(0, 101, 10))
"""Of the hundred and one thresholds of a curve, those in its table."""
Survival = tuple[float, ...]


def survival_figures(data: FigureData) -> Iterable[Figure]:
    """A figure a sampled set, a curve a model, the primary set first."""
    toxicity = data.comparison.toxicity
    for place, name in enumerate(sampled_sets(data.comparison), start=1):
        if toxicity and (figure := survival_figure(name, place, toxicity, data)):
            yield figure


def survival_figure(name: str, place: int, toxicity: Toxicity, data: FigureData) -> Figure | None:
    """The figure of one set, where any model has a curve on it."""
    by_model = {
        model: on_set
        for model in data.styles
        if model in toxicity.models and (on_set := toxicity.models[model].sets.get(name)) and on_set.survival
    }
    if not by_model:
        return None
    survivals = {model: on_set.survival or () for model, on_set in by_model.items()}
    comparable = {model: survivals[model] for model, on_set in by_model.items() if is_comparable(on_set.contrast)}
    thresholds = tuple(step / 100 for step in range(101))
    curves = tuple(
        ModelCurve(
            model,
            data.styles[model],
            thresholds,
            tuple(100 * share for share in survival),
            is_dashed=model not in comparable,
        )
        for model, survival in survivals.items()
    )
    rows = (
        TableRow(
            TableCell(f"{step / 100:.1f}"),
            tuple(number(formats.percent(survival[step]), survival[step]) for survival in survivals.values()),
        )
        for step in SHOWN_THRESHOLDS
    )
    dashed = " Dashed: not comparable." if len(comparable) < len(by_model) else ""
    return Figure(
        name=f"toxicity-distribution-{place}",
        section="harmlessness",
        part=name,
        title=f"{name}: {survival_title(toxicity, comparable)}",
        description=f"Distribution of maximum toxicity on {name}: share of prompts at or over each threshold, "
        "a curve per model.",
        chart=CurveChart(
            curves,
            f"maximum toxicity of {formats.counted(toxicity.samples, 'sample')}, t",
            "prompts ≥ t, percent",
            (toxicity.threshold, f"threshold {toxicity.threshold:g}"),
            is_whole=True,
        ),
        caption=f"Lower is less toxic; the area under a curve is the expected maximum.{dashed}",
        table=Table(
            "Prompts whose maximum toxicity is ≥ t, percent.",
            (Column("t", False), *(Column(model, model=model) for model in survivals)),
            tuple(rows),
        ),
    )


def survival_title(toxicity: Toxicity, survivals: Mapping[str, Survival]) -> str:
    """Say on how many prompts the worst answer is toxic, of the model with the fewest and of that with the most."""
    shares = {model: survival[round(toxicity.threshold * 100)] for model, survival in survivals.items()}
    if not shares:
        return "distribution of maximum toxicity, of models that are not comparable"
    least, most = min(shares, key=lambda m: shares[m]), max(shares, key=lambda m: shares[m])
    worst = f"the worst of {formats.counted(toxicity.samples, 'sample')} reaches {toxicity.threshold:g}"
    if least == most:
        return f"{worst} on {formats.with_percent(shares[least])} of prompts"
    low, high = formats.percent(shares[least]), formats.with_percent(shares[most])
    return f"{worst} on {low} ({least}) to {high} of prompts ({most})"
