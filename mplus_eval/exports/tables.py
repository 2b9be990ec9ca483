"""The comparison as tidy tables: a row for each model and task, set or dialogue judge, a column for each figure.

All values are fractions, as in `comparison.json`; an interval is two columns, `low` and `high`. A difference is the
model minus the other one. Empty is what was not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mplus_eval.records.base import Record
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.trajectory import trajectories
from mplus_eval.reports.verdicts import is_comparable

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

Value = str | int | float | bool | None
Row = Mapping[str, Value]
Table = list[Row]


def tables_of(run: StoredRun) -> dict[str, Table]:
    """Every table that is not empty, by its name."""
    comparison = run.comparison
    tables: dict[str, Table] = {
        "decision": decision(run),
        "matrix": matrix(run),
        "scores": scores(comparison),
        "contrasts": contrasts(comparison),
        "summary": summary(comparison),
        "subjects": subjects(comparison),
        "toxicity": toxicity(comparison),
        "refusals": refusals(comparison),
        "conversation": conversation(comparison),
        "trajectory": trajectory(comparison),
        "models": models(comparison),
        "missing": [flat(cell) for cell in comparison.missing],
    }
    return {name: table for name, table in tables.items() if table}


def flat(record: Record | None, prefix: str = "") -> dict[str, Value]:
    """The fields of a record that are one value each, an interval as `low` and `high`, several texts as one.

    Mappings and records inside it are left out.
    """
    columns: dict[str, Value] = {}
    for name, value in record.model_dump(mode="json").items() if record else ():
        is_interval = name == "ci" or name.endswith("_ci")
        stem = f"{prefix}{name.removesuffix('ci')}"
        if is_interval:
            columns[f"{stem}low"], columns[f"{stem}high"] = value or (None, None)
        elif isinstance(value, list):
            columns[f"{prefix}{name}"] = "; ".join(each for each in value if isinstance(each, str))
        elif not isinstance(value, dict):
            columns[f"{prefix}{name}"] = value
    return columns


def decision(run: StoredRun) -> Table:
    """One row for each model and axis: its verdict, and the figure that it stands on.

    `higher_is_better` says which way the figure is a gain.
    """
    comparison = run.comparison
    rows: Table = []
    for model in (name for name in run.models if name != comparison.baseline):
        if summary := comparison.summary.get(model):
            tax, interval = summary.alignment_tax, summary.alignment_tax_ci
            rows.append(
                {
                    "model": model,
                    "axis": "capability",
                    "verdict": str(summary.verdict or "no verdict"),
                    "figure": "macro-average, difference",
                    # Less tax is more capability: minus is a loss here as everywhere.
                    "value": None if tax is None else 0.0 - tax,
                    "low": None if interval is None else 0.0 - interval[1],
                    "high": None if interval is None else 0.0 - interval[0],
                    "higher_is_better": True,
                    "why": "; ".join(filter(None, (summary.withheld, *summary.reasons))),
                }
            )
        rows += _decided_harmlessness(comparison, model)
        if comparison.conversation and (talk := comparison.conversation.models.get(model)):
            low, high = talk.win_rate.ci or (None, None)
            rows.append(
                {
                    "model": model,
                    "axis": "conversation",
                    "verdict": str(talk.verdict or "no verdict"),
                    "figure": f"win rate, by {talk.judge}",
                    "value": talk.win_rate.value,
                    "low": low,
                    "high": high,
                    "higher_is_better": True,
                    "why": "; ".join(talk.reasons),
                }
            )
    return rows


def _decided_harmlessness(comparison: Comparison, model: str) -> Iterable[Row]:
    toxicity = comparison.toxicity
    of_model = toxicity.models.get(model) if toxicity else None
    on_primary = of_model.sets.get(toxicity.primary.set) if toxicity and of_model else None
    if toxicity is None or on_primary is None or (contrast := on_primary.contrast) is None:
        return
    yield {
        "model": model,
        "axis": "harmlessness",
        "verdict": str(contrast.verdict),
        "figure": f"{toxicity.primary.measure.replace('_', ' ')} on {toxicity.primary.set}, difference",
        "value": contrast.difference,
        "low": contrast.ci[0],
        "high": contrast.ci[1],
        "higher_is_better": False,
        "why": "; ".join(contrast.reasons),
    }


def matrix(run: StoredRun) -> Table:
    """One row for each task, and for each model a score, a difference, its interval and a verdict."""
    comparison = run.comparison
    rows: Table = []
    for task, entry in comparison.tasks.items():
        row: dict[str, Value] = {"task": task, "metric": entry.metric}
        row |= {"n_shots": entry.n_shots, "n_items": entry.n_items}
        for model in run.models:
            score = entry.scores.get(model)
            row[f"{model} score"] = score.value if score else None
            if model != comparison.baseline:
                contrast = entry.contrasts.get(model)
                row[f"{model} difference"] = contrast.difference if contrast else None
                row[f"{model} low"], row[f"{model} high"] = contrast.ci if contrast else (None, None)
                row[f"{model} verdict"] = str(contrast.verdict) if contrast else None
        rows.append(row)
    return rows


def scores(comparison: Comparison) -> Table:
    """One row for each model and task."""
    return [
        {"task": task, "model": model, "metric": entry.metric, "filter": entry.filter, **flat(score)}
        for task, entry in comparison.tasks.items()
        for model, score in entry.scores.items()
    ]


def contrasts(comparison: Comparison) -> Table:
    """One row for each model, task and model that it is compared with."""
    rows: Table = [
        {"task": task, "model": model, "against": comparison.baseline, **flat(contrast)}
        for task, entry in comparison.tasks.items()
        for model, contrast in entry.contrasts.items()
    ]
    return rows + [
        {"task": task, "model": pair.model, "against": pair.against, **flat(contrast)}
        for pair in comparison.pairs
        for task, contrast in pair.tasks.items()
    ]


def summary(comparison: Comparison) -> Table:
    """One row for each model over the whole suite, and for each pair of models without the baseline."""
    against = {name: None if name == comparison.baseline else comparison.baseline for name in comparison.summary}
    rows: Table = [
        {"model": model, "against": against[model], **flat(entry)} for model, entry in comparison.summary.items()
    ]
    return rows + [{"model": pair.model, "against": pair.against, **flat(pair.summary)} for pair in comparison.pairs]


def subjects(comparison: Comparison) -> Table:
    """One row for each model and stratum of a task."""
    return [
        {
            "task": task,
            "subject": name,
            "model": model,
            **flat(score),
            **flat(subject.contrasts.get(model), "contrast_"),
        }
        for task, entry in comparison.tasks.items()
        for name, subject in entry.subjects.items()
        for model, score in subject.scores.items()
    ]


def toxicity(comparison: Comparison) -> Table:
    """One row for each model and prompt set, with its measures, contrast and checks of the texts."""
    return [
        {
            "set": name,
            "model": model,
            "scorer": of_model.scorer,
            **flat(on_set),
            **flat(on_set.expected_maximum_toxicity, "expected_maximum_toxicity_"),
            **flat(on_set.toxicity_probability, "toxicity_probability_"),
            **flat(on_set.toxic_fraction, "toxic_fraction_"),
            **flat(on_set.contrast, "contrast_"),
            **flat(on_set.sanity, "sanity_"),
        }
        for model, of_model in (comparison.toxicity.models.items() if comparison.toxicity else ())
        for name, on_set in of_model.sets.items()
    ]


def refusals(comparison: Comparison) -> Table:
    """One row for each model and set of requests."""
    return [
        {
            "set": name,
            "model": model,
            **flat(pair),
            **flat(pair.refusal_rate, "refusal_rate_"),
            **flat(pair.over_refusal_rate, "over_refusal_rate_"),
            **flat(pair.contrast.refusals if pair.contrast else None, "refusals_contrast_"),
            **flat(pair.contrast.over_refusals if pair.contrast else None, "over_refusals_contrast_"),
        }
        for model, of_model in (comparison.toxicity.models.items() if comparison.toxicity else ())
        for name, pair in of_model.refusals.items()
    ]


def conversation(comparison: Comparison) -> Table:
    """One row for each model and judge; `decides` says whose verdict the model's is."""
    rows: Table = []
    for model, talk in comparison.conversation.models.items() if comparison.conversation else ():
        for judging in filter(None, (talk, talk.second_judge)):
            rows.append(
                {
                    "model": model,
                    "decides": judging is talk,
                    **flat(judging),
                    **flat(judging.win_rate, "win_rate_"),
                    **flat(judging.length_controlled_win_rate, "length_controlled_"),
                    **flat(judging.rating, "rating_"),
                    **flat(talk.text, "text_"),
                }
            )
    return rows


def trajectory(comparison: Comparison) -> Table:
    """One row for the baseline, every saved step and the end of every training."""
    return [{"training": name, **values} for name, steps in along(comparison).items() for values in steps]


def along(comparison: Comparison) -> dict[str, Table]:
    """By training, what is known of each step; of a step whose toxicity is not comparable, no toxicity."""
    return {
        name: [
            {
                "step": step.step,
                "macro_average": step.summary.macro_average,
                "macro_average_low": step.summary.ci[0] if step.summary.ci else None,
                "macro_average_high": step.summary.ci[1] if step.summary.ci else None,
                "toxicity": step.toxicity.bar.value if step.toxicity and step.toxicity.bar else None,
                "kl_per_answer": step.kl,
                "end_of_turn_rate": step.behaviour.end_of_turn_rate if step.behaviour else None,
                "mean_tokens": step.behaviour.mean_tokens if step.behaviour else None,
                **{f"reward_{part}": value for part, value in step.part("rewards").items()},
                **{f"measure_{part}": value for part, value in step.part("measures").items()},
            }
            for step in steps
        ]
        for name, steps in trajectories(comparison).items()
    }


def models(comparison: Comparison) -> Table:
    """One row for each model, with how it was made where its checkpoint says so."""
    return [
        {"model": name, **flat(entry), **flat(entry.training, "training_"), "kl_per_answer": _dose(comparison, name)}
        for name, entry in comparison.models.items()
    ]


def _dose(comparison: Comparison, model: str) -> float | None:
    training = comparison.models[model].training
    return training.dose.kl_answers if training and training.dose else None


def scalars(run: StoredRun) -> dict[str, float]:
    """The figures that a tracker logs, by `model/task/figure`; without those that are no number.

    A model whose toxicity is not comparable has none.
    """
    comparison = run.comparison
    named: dict[str, float | None] = {}
    for task, entry in comparison.tasks.items():
        for model, score in entry.scores.items():
            named[f"{model}/{task}/{entry.metric}"] = score.value
        for model, contrast in entry.contrasts.items():
            named[f"{model}/{task}/difference"] = contrast.difference
    for model, found in comparison.summary.items():
        named[f"{model}/macro_average"] = found.macro_average
        named[f"{model}/alignment_tax"] = found.alignment_tax
    for model, of_model in comparison.toxicity.models.items() if comparison.toxicity else ():
        for name, on_set in of_model.sets.items():
            if is_comparable(on_set.contrast):
                named[f"{model}/{name}/expected_maximum_toxicity"] = on_set.expected_maximum_toxicity.value
                named[f"{model}/{name}/toxicity_probability"] = on_set.toxicity_probability.value
        for name, pair in of_model.refusals.items():
            named[f"{model}/{name}/refusal_rate"] = pair.refusal_rate.value
            named[f"{model}/{name}/over_refusal_rate"] = pair.over_refusal_rate.value
    for model, talk in comparison.conversation.models.items() if comparison.conversation else ():
        named[f"{model}/win_rate"] = talk.win_rate.value
    compared = set(run.models)
    return {name: value for name, value in named.items() if value is not None and name.partition("/")[0] in compared}
