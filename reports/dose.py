"""Training and dose: how the models were made, how far they are from the base, and what that cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.training import Behaviour, DataUsed, Dose, Training
from mplus_eval.reports import charts, formats
from mplus_eval.reports.charts import FEWEST_VALUES, Bar, DoseRow, Figure
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import Cell, Column, Row, Table, number
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
DOSES = {
    "kl_answers": "KL an answer",
    "kl_answers_per_token": "KL a token, own answers",
    "kl_text": "KL a token, text",
}
BEHAVIOURS = {
    "end_of_turn_rate": "End of turn, %",
    "distinct_answers": "Distinct answers, %",
    "mean_tokens": "Mean tokens",
}
NO_DOSE = Dose(kl_answers=0.0, kl_answers_per_token=0.0, kl_text=0.0, n_prompts=0)
"""Of the base, which is at no distance from itself."""
Value = Callable[[Dose | None, Behaviour | None], float | None]


@dataclass(frozen=True)
class TrainingSection:
    """How the models were made: a table, what was left out and warned of, and capability against dose."""

    reading: str
    table: Table
    notes: tuple[str, ...]
    figure: Figure | None


def training_section(comparison: Comparison, looks: Mapping[str, Look]) -> TrainingSection | None:
    """The section, where any model says how it was made."""
    known = {name: entry.training for name, entry in comparison.models.items() if entry.training}
    if not known:
        return None
    notes = tuple(note for name, training in known.items() for note in _notes(name, training))
    return TrainingSection(READING, _table(comparison, known), notes, dose_figure(comparison, looks))


def _notes(name: str, training: Training) -> Iterable[str]:
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


def _data(data: DataUsed) -> str:
    source = "/".join(one_line(part) for part in (data.source, data.subset) if part)
    return KINDS[data.kind].format(n=formats.count(data.n), source=source)


def _table(comparison: Comparison, known: Mapping[str, Training]) -> Table:
    values = {
        heading: value
        for heading, value in _values(known).items()
        if any(value(training.dose, training.behaviour) is not None for training in known.values())
    }
    names = dict.fromkeys((comparison.baseline, *known))
    of_base = base_behaviour(known.values())
    rows = tuple(_row(name, known.get(name), values, of_base, name == comparison.baseline) for name in names)
    columns = (Column("Model", False), Column("Method", False), Column("Trained on", False), Column("Steps"))
    return Table(
        "KL in nats; measured on held-out prompts and text.",
        (*columns, Column("Time"), *(Column(heading) for heading in values)),
        rows,
    )


def _values(known: Mapping[str, Training]) -> dict[str, Value]:
    found: dict[str, Value] = {heading: _of_dose(field) for field, heading in DOSES.items()}
    for field, heading in BEHAVIOURS.items():
        found[heading] = _of_behaviour(field, 100 if "%" in heading else 1)
    for part, word in (("rewards", "Reward"), ("measures", "Measure")):
        everyone = [getattr(training.behaviour, part) for training in known.values() if training.behaviour]
        for name in dict.fromkeys(name for values in everyone for name in values):
            found[f"{word} {one_line(name)}"] = _entry(part, name)
    return found


def _of_dose(field: str) -> Value:
    return lambda dose, _: getattr(dose, field, None)


def _of_behaviour(field: str, scale: float) -> Value:
    return lambda _, behaviour: scale * getattr(behaviour, field) if behaviour else None


def _entry(part: str, name: str) -> Value:
    return lambda _, behaviour: getattr(behaviour, part).get(name) if behaviour else None


def _row(
    name: str, training: Training | None, values: Mapping[str, Value], of_base: Behaviour | None, is_base: bool
) -> Row:
    cells = [Cell("baseline" if is_base else "–"), Cell("–"), Cell("–", css="n"), Cell("–", css="n")]
    dose, behaviour = (NO_DOSE, of_base) if is_base else (None, None)
    if training:
        dose, behaviour = training.dose, training.behaviour
        method = f"{training.method}, {one_line(training.algorithm)}"
        cells = [
            Cell(training.method if training.method.lower() == training.algorithm.lower() else method),
            Cell("; ".join(map(_data, training.data)) or "–"),
            number(formats.count(training.step), training.step),
            number(formats.duration(training.seconds), training.seconds),
        ]
    for value in values.values():
        found = value(dose, behaviour)
        cells.append(number("–" if found is None else formats.plain(found), found))
    return Row(Cell(name), tuple(cells))


def dose_figure(comparison: Comparison, looks: Mapping[str, Look]) -> Figure | None:
    """Macro-average against KL on own answers, where three models or more have both."""
    rows = []
    for name, entry in comparison.models.items():
        found = comparison.summary.get(name)
        dose = entry.training.dose if entry.training else None
        kl = 0.0 if name == comparison.baseline else dose.kl_answers if dose else None
        if kl is not None and found and found.macro_average is not None:
            rows.append(DoseRow(name, looks[name], kl, Bar(found.macro_average, found.ci)))
    if len(rows) < FEWEST_VALUES:
        return None
    rows.sort(key=lambda row: row.kl)
    far = rows[-1]
    title = f"Furthest from the base, at {formats.plain(far.kl)} nats: {far.model}, "
    title += formats.with_percent(far.bar.value)
    base = next((row for row in rows if row.model == comparison.baseline), None)
    if base and base is not far:
        title += f" against {formats.with_percent(base.bar.value)}"
    table = Table(
        "Macro-average in percent, KL in nats an answer.",
        (Column("Model", False), Column("KL"), Column("Macro-average"), Column("Interval")),
        tuple(
            Row(
                Cell(row.model),
                (
                    number(formats.plain(row.kl), row.kl),
                    number(formats.percent(row.bar.value), row.bar.value),
                    Cell(formats.interval_of_percent(row.bar.ci) if row.bar.ci else "–", css="n"),
                ),
            )
            for row in rows
        ),
    )
    description = "Macro-average with intervals against the KL to the base on own answers, a mark a model."
    return Figure(
        "dose",
        title,
        "",
        description,
        "Upwards: macro-average, percent, with its interval. The baseline stands at 0.",
        charts.Dose(tuple(rows)),
        table,
    )
