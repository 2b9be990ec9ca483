"""Training and dose: how the models were made, how far they are from the base, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.training import Behaviour, Dose, Training
from mplus_eval.reports import formats
from mplus_eval.reports.tables import NO_NUMBER, Column, Table, TableCell, TableRow, number, number_if_known
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.trajectory import base_behaviour

KINDS = {
    "pairs": "{n} pairs of {source}",
    "chosen answers": "{n} pairs of {source}, chosen answers",
    "demonstrations": "{n} demonstrations of {source}",
    "prompts": "{n} prompts of {source}",
    "texts": "{n} texts of {source}, replayed",
}
READING = (
    "KL says how far a model has moved from the base; compare capability at the same distance, not across distances. "
    "One seed a method says nothing of a method’s spread."
)
HEADINGS = (
    "KL an answer",
    "KL a token, own answers",
    "KL a token, text",
    "End of turn, %",
    "Distinct answers, %",
    "Mean tokens",
    "Reward ",
    "Measure ",
)
"""Of what was measured, in the order of their columns; after the last two comes the name of each."""
NO_DOSE = Dose(kl_answers=0.0, kl_answers_per_token=0.0, kl_text=0.0, n_prompts=0)
"""Of the base, which is at no distance from itself."""


@dataclass(frozen=True)
class TrainingSection:
    """How the models were made: a table, and what was left out and warned of."""

    reading: str
    table: Table
    notes: tuple[str, ...]


def training_section(comparison: Comparison) -> TrainingSection | None:
    """The section, where any model says how it was made.

    Its table has a row a model, the baseline's first: its method and data, its doses, and what its answers are like.
    """
    baseline = comparison.baseline
    trainings = {name: entry.training for name, entry in comparison.models.items() if entry.training}
    if not trainings:
        return None
    values = {name: measured(training.dose, training.behaviour) for name, training in trainings.items()}
    known = dict.fromkeys(heading for of_model in values.values() for heading in of_model)
    headings = sorted(
        known, key=lambda heading: next(place for place, h in enumerate(HEADINGS) if heading.startswith(h))
    )
    values.setdefault(baseline, measured(NO_DOSE, base_behaviour(trainings.values())))
    rows = []
    for name in dict.fromkeys((baseline, *trainings)):
        cells = [TableCell("baseline" if name == baseline else "–"), TableCell("–"), NO_NUMBER, NO_NUMBER]
        if training := trainings.get(name):
            algorithm = one_line(training.algorithm)
            is_said = training.method.lower() == training.algorithm.lower()
            sources = []
            for data in training.data:
                source = "/".join(one_line(part) for part in (data.source, data.subset) if part)
                sources.append(KINDS[data.kind].format(n=formats.count(data.n), source=source))
            cells = [
                TableCell(training.method if is_said else f"{training.method}, {algorithm}"),
                TableCell("; ".join(sources) or "–"),
                number(formats.count(training.step), training.step),
                number(formats.elapsed(training.seconds), training.seconds),
            ]
        cells += [number_if_known(values[name].get(heading), formats.plain) for heading in headings]
        rows.append(TableRow(TableCell(name), tuple(cells)))
    made = (Column("Model", False), Column("Method", False), Column("Trained on", False), Column("Steps"))
    columns = (*made, Column("Time"), *map(Column, headings))
    table = Table("KL in nats; measured on held-out prompts and text.", columns, tuple(rows))
    return TrainingSection(READING, table, tuple(notes(trainings)))


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
    """All that is known of a model's dose and of its answers, by heading."""
    values: dict[str, float | None] = {}
    if dose:
        kinds = (dose.kl_answers, dose.kl_answers_per_token, dose.kl_text)
        values |= dict(zip(HEADINGS[:3], kinds, strict=True))
    if behaviour:
        shares = (100 * behaviour.end_of_turn_rate, 100 * behaviour.distinct_answers, behaviour.mean_tokens)
        values |= dict(zip(HEADINGS[3:6], shares, strict=True))
        values |= {f"Reward {one_line(name)}": value for name, value in behaviour.rewards.items()}
        values |= {f"Measure {one_line(name)}": value for name, value in behaviour.measures.items()}
    return {heading: value for heading, value in values.items() if value is not None}
