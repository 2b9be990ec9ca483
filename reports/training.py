"""Training and dose: how the models were made, how far they are from the base, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.training import Behaviour, Dose, Training
from mplus_eval.reports import formats
from mplus_eval.reports.tables import (
    NO_NUMBER,
    ModelLabel,
    Table,
    TableCell,
    by_measure,
    number,
    number_if_known,
)
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.trajectory import base_behaviour, reward_named

KINDS = {
    "pairs": "{n} pairs of {source}",
    "chosen answers": "{n} pairs of {source}, chosen answers",
    "demonstrations": "{n} demonstrations of {source}",
    "prompts": "{n} prompts of {source}",
    "texts": "{n} texts of {source}, replayed",
}
READING = (
    "KL says how far a model has moved from the base; compare capability at the same distance, not across distances. "
    "One seed per method says nothing of a method’s spread."
)
MEASURES = (
    "KL per answer",
    "KL per token, own answers",
    "KL per token, text",
    "Ends with EOS, %",
    "Distinct answers, %",
    "Mean tokens",
    "Training reward, ",
    "Held-out reward, ",
    "Measure ",
)
"""What was measured, in the order of the rows; after the last three comes the name of each."""
NO_DOSE = Dose(kl_answers=0.0, kl_answers_per_token=0.0, kl_text=0.0, n_prompts=0)
"""Of the base, which is at no distance from itself."""
MADE = ("Method", "Trained on", "Steps", "Time")


@dataclass(frozen=True)
class TrainingSection:
    """How the models were made: a table, and what was left out and warned of."""

    reading: str
    table: Table
    notes: tuple[str, ...]


def training_section(comparison: Comparison, labels: Mapping[str, ModelLabel]) -> TrainingSection | None:
    """The section, where any model says how it was made.

    Its table has a column per model, the baseline's first: its method and data, its doses, and what its answers are
    like.
    """
    baseline = comparison.baseline
    trainings = {name: entry.training for name, entry in comparison.models.items() if entry.training}
    if not trainings:
        return None
    values = {name: measured(training.dose, training.behaviour) for name, training in trainings.items()}
    known = dict.fromkeys(measure for of_model in values.values() for measure in of_model)
    measures = sorted(
        known, key=lambda measure: next(place for place, m in enumerate(MEASURES) if measure.startswith(m))
    )
    values.setdefault(baseline, measured(NO_DOSE, base_behaviour(trainings.values())))
    cells = {}
    for name in dict.fromkeys((baseline, *trainings)):
        measured_cells = [number_if_known(values[name].get(measure), formats.plain) for measure in measures]
        cells[name] = [*made_cells(trainings.get(name), is_base=name == baseline), *measured_cells]
    table = by_measure("KL in nats; measured on held-out prompts and text.", (*MADE, *measures), cells, labels)
    return TrainingSection(READING, table, tuple(notes(trainings)))


def made_cells(training: Training | None, *, is_base: bool) -> list[TableCell]:
    """How one model was made: method, data, steps and time; dashes where that is not known."""
    if training is None:
        return [TableCell("baseline" if is_base else "–"), TableCell("–"), NO_NUMBER, NO_NUMBER]
    is_said = training.method.lower() == training.algorithm.lower()
    sources = []
    for data in training.data:
        source = "/".join(one_line(part) for part in (data.source, data.subset) if part)
        sources.append(KINDS[data.kind].format(n=formats.count(data.n), source=source))
    return [
        TableCell(training.method if is_said else f"{training.method}, {one_line(training.algorithm)}"),
        TableCell("; ".join(sources) or "–"),
        number(formats.count(training.step), training.step),
        number(formats.elapsed(training.seconds), training.seconds),
    ]


def notes(trainings: Mapping[str, Training]) -> Iterable[str]:
    """Rows of training data that were left out, and warnings, by model."""
    for name, training in trainings.items():
        for data in training.data:
            counts = {
                "malformed": data.n_malformed,
                "too long": data.n_too_long,
                "evaluated": data.n_evaluation_prompts,
            }
            if left := [f"{formats.count(n)} {why}" for why, n in counts.items() if n]:
                yield f"{name}: rows of {one_line(data.source)} left out: {enumerated(left)}."
        for warning in training.warnings:
            yield f"{name}: {one_line(warning).rstrip('.')}."


def measured(dose: Dose | None, behaviour: Behaviour | None) -> dict[str, float]:
    """All that is known of a model's dose and of its answers, by measure."""
    values: dict[str, float | None] = {}
    if dose:
        kinds = (dose.kl_answers, dose.kl_answers_per_token, dose.kl_text)
        values |= dict(zip(MEASURES[:3], kinds, strict=True))
    if behaviour:
        shares = (100 * behaviour.end_of_turn_rate, 100 * behaviour.distinct_answers, behaviour.mean_tokens)
        values |= dict(zip(MEASURES[3:6], shares, strict=True))
        values |= {reward_named(name): value for name, value in behaviour.rewards.items()}
        values |= {f"Measure {one_line(name)}": value for name, value in behaviour.measures.items()}
    return {measure: value for measure, value in values.items() if value is not None}
