"""A comparison as pandas frames: tidy, fractions, and every interval as two columns, `low` and `high`.

| frame | a row for each |
|---|---|
| scores | task and model |
| contrasts | task, model, and model that it is held against |
| subjects | task, stratum of it, and model |
| summary | model |
| toxicity | model and prompt set |
| conversation | model and judge |
| trajectory | training, and its baseline, saved step or final model |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from mplus_eval.records.base import Record
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import ModelToxicity, PromptSetFacts, ShareDifference

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, object]


def scores(comparison: Comparison) -> pd.DataFrame:
    """Every score."""
    return _frame(
        {"task": task, "model": model, "metric": entry.metric, **_columns(score)}
        for task, entry in comparison.tasks.items()
        for model, score in entry.scores.items()
    )


def contrasts(comparison: Comparison) -> pd.DataFrame:
    """Every contrast, those of pairs among them."""
    found = [
        (task, model, comparison.baseline, contrast)
        for task, entry in comparison.tasks.items()
        for model, contrast in entry.contrasts.items()
    ]
    found += [
        (task, pair.model, pair.against, contrast) for pair in comparison.pairs for task, contrast in pair.tasks.items()
    ]
    return _frame(
        {"task": task, "model": model, "against": against, **_columns(contrast)}
        for task, model, against, contrast in found
    )


def subjects(comparison: Comparison) -> pd.DataFrame:
    """Every score within a stratum, with its difference from the baseline's."""
    return _frame(
        {
            "task": task,
            "subject": name,
            "model": model,
            "n_items": subject.n_items,
            **_columns(score),
            **_columns(subject.contrasts.get(model), interval="difference_"),
        }
        for task, entry in comparison.tasks.items()
        for name, subject in entry.subjects.items()
        for model, score in subject.scores.items()
    )


def summary(comparison: Comparison) -> pd.DataFrame:
    """Every model over the whole suite."""
    return _frame({"model": model, **_columns(summary)} for model, summary in comparison.summary.items())


def toxicity(comparison: Comparison) -> pd.DataFrame:
    """Every set that a model answered: sampled ones, and requests that may be refused."""
    part = comparison.toxicity
    if part is None:
        return _frame(())
    return _frame(
        {"model": model, "set": name, "kind": part.sets[name].kind, "scorer": found.scorer, **row}
        for model, found in part.models.items()
        for name, row in _answered(found, part.sets)
    )


def _answered(found: ModelToxicity, sets: Mapping[str, PromptSetFacts]) -> Iterator[tuple[str, Row]]:
    for name in sets:
        if of_set := found.sets.get(name):
            yield name, {**_columns(of_set), **_columns(of_set.contrast, interval="difference_")}
        elif pair := found.refusals.get(name):
            contrast = pair.contrast
            yield (
                name,
                {
                    **_columns(pair),
                    **_difference("refusal", contrast.refusals if contrast else None),
                    **_difference("over_refusal", contrast.over_refusals if contrast else None),
                },
            )


def _difference(name: str, found: ShareDifference | None) -> Row:
    low, high = found.ci if found else (None, None)
    difference = found.difference if found else None
    return {f"{name}_difference": difference, f"{name}_difference_low": low, f"{name}_difference_high": high}


def conversation(comparison: Comparison) -> pd.DataFrame:
    """Every judge of a model: `verdict` is what stands where it decides, `verdict_alone` what it says by itself."""
    part = comparison.conversation
    if part is None:
        return _frame(())
    rows = []
    for model, found in part.models.items():
        for judging in filter(None, (found, found.second_judge)):
            alone = found.by(judging.judge)
            row = {"model": model, "judge": judging.judge, "decides": judging is found, **_columns(judging)}
            wins = _columns(judging.win_rate)
            row |= {key: value for key, value in wins.items() if key not in ("value", "low", "high")}
            rows.append({**row, "verdict_alone": _plain(alone.verdict if alone else None)})
    return _frame(rows)


def trajectory(comparison: Comparison) -> pd.DataFrame:
    """Every training along its steps, over the items that all of them scored; with the primary measure of toxicity."""
    rows = []
    for name, points in comparison.trajectories.items():
        for model, average in points.averages.items():
            entry = comparison.models[model]
            dose = entry.training.dose if entry.training else None
            is_base = model == comparison.baseline
            rows.append(
                {
                    "trajectory": name,
                    "model": model,
                    "step": 0 if is_base else entry.trained_steps,
                    "n_items": points.n_items,
                    **_columns(average, only=("macro_average", "ci")),
                    "kl_answers": 0.0 if is_base else dose.kl_answers if dose else None,
                    **_primary_toxicity(comparison, model),
                }
            )
    return _frame(sorted(rows, key=lambda row: (str(row["trajectory"]), row["step"] is None, row["step"] or 0)))


def _primary_toxicity(comparison: Comparison, model: str) -> Row:
    part = comparison.toxicity
    found = part.models.get(model) if part else None
    of_set = found.sets.get(part.primary.set) if part and found else None
    if part is None or of_set is None:
        return {}
    # The share of all texts that are toxic does not depend on how many were drawn.
    has_k = part.primary.measure != "toxic_fraction"
    at_k = of_set.fewer.get(str(part.primary_k), of_set) if has_k else of_set
    return dict(_named("toxicity", getattr(at_k, part.primary.measure)))


def _frame(rows: Iterable[Row]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))


def _columns(record: Record | None, interval: str = "", only: tuple[str, ...] | None = None) -> dict[str, object]:
    """A record's fields as columns: a figure with an interval is three of them, and what is a part of its own is none.

    Args:
        record: None has no column.
        interval: before `low` and `high` of the record's own interval.
        only: the fields that are taken; all when None.
    """
    columns: dict[str, object] = {}
    for name in only or (type(record).model_fields if record is not None else ()):
        value = getattr(record, name)
        if name == "ci" or name.endswith("_ci"):
            low, high = value or (None, None)
            prefix = f"{name.removesuffix('_ci')}_" if name != "ci" else interval
            columns |= {f"{prefix}low": low, f"{prefix}high": high}
        elif isinstance(value, Record):
            columns |= _named(name, value)
        elif not isinstance(value, dict):
            columns[name] = _plain(value)
    return columns


def _named(name: str, figure: Record) -> Iterator[tuple[str, object]]:
    """A figure with its interval; nothing of a record that is none."""
    if {"value", "ci"} <= set(type(figure).model_fields):
        value, ci = (getattr(figure, field) for field in ("value", "ci"))
        low, high = ci or (None, None)
        yield from ((name, value), (f"{name}_low", low), (f"{name}_high", high))


def _plain(value: object) -> object:
    """A value as a column holds it: words instead of members, lists instead of records."""
    if isinstance(value, tuple):
        return [each.model_dump(mode="json") if isinstance(each, Record) else _plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value
