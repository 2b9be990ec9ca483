"""Capability by subject: differences from the baseline within the strata of a task, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, Subject
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.tables import Column, ModelLabel, Table, TableCell, TableRow, number, number_if_known
from mplus_eval.reports.text import one_line, without_common_prefix
from mplus_eval.reports.units import Unit

STEPS = (0.01, 0.03, 0.06)
"""Where the colour grows darker, as fractions."""


@dataclass(frozen=True)
class Shade:
    """One colour of the map, and which differences have it."""

    css: str
    meaning: str


SHADES = (
    Shade("loss-3", "loss of 6 points or more"),
    Shade("loss-2", "3 to 6"),
    Shade("loss-1", "1 to 3"),
    Shade("heat-0", "less than 1 point"),
    Shade("gain-1", "gain of 1 to 3"),
    Shade("gain-2", "3 to 6"),
    Shade("gain-3", "6 points or more"),
)


@dataclass(frozen=True)
class TaskSubjects:
    """The subjects of one task."""

    task: str
    anchor: str
    title: str
    table: Table


def subject_tables(comparison: Comparison, labels: Mapping[str, ModelLabel]) -> tuple[TaskSubjects, ...]:
    """One heat map for every task that has more than one stratum, the subject with the largest loss first.

    It holds the baseline's score of each subject, and the others' differences from it, shaded by size. A star marks a
    difference that still stands after Holm over all subjects of the task.
    """
    baseline = comparison.baseline
    others = [name for name in labels if name != baseline]
    columns = (
        Column("Subject", is_numeric=False),
        Column("n"),
        labels[baseline].column(),
        *(labels[name].column() for name in others),
    )
    caption = f"Score of {baseline} in percent{'; differences from it in points.' if others else '.'}"
    tables = []
    for task, entry in ((task, entry) for task, entry in comparison.tasks.items() if entry.subjects):
        names = {name: one_line(short) for name, short in without_common_prefix(list(entry.subjects)).items()}
        rows = [
            subject_row(anchor("subject", task, name), names[name], entry.subjects[name], comparison, Unit.of(entry))
            for name in sorted(entry.subjects, key=lambda name: least_gain(entry.subjects[name], Unit.of(entry)))
        ]
        title = f"{task}: {formats.counted(len(entry.subjects), 'subject')}"
        table = Table(caption, columns, tuple(rows), is_sortable=True)
        tables.append(TaskSubjects(task, anchor("subjects", task), title, table))
    return tuple(tables)


def least_gain(subject: Subject, unit: Unit) -> float:
    """The gain of the model that lost most on a subject; 0 where none was compared."""
    return min((unit.gain(contrast.difference) for contrast in subject.contrasts.values()), default=0.0)


def subject_row(place: str, name: str, subject: Subject, comparison: Comparison, unit: Unit) -> TableRow:
    """One subject: its items, the baseline's score, and every other model's difference."""
    base = subject.scores.get(comparison.baseline)
    cells = [
        number(formats.count(subject.n_items), subject.n_items),
        number_if_known(base.value if base else None, unit.score),
    ]
    for model in (model for model in comparison.models if model != comparison.baseline):
        contrast = subject.contrasts.get(model)
        if contrast is None:
            cells.append(TableCell("–", css="n heat-0"))
            continue
        star = "*" if contrast.p_adjusted < comparison.level else ""
        shade = heat(unit.gain(contrast.difference)) if unit.is_fraction else "heat-0"
        cells.append(number(unit.difference(contrast.difference) + star, contrast.difference, f"n {shade}"))
    return TableRow(TableCell(name, key=name), tuple(cells), anchor=place)


def heat(difference: float) -> str:
    """The shade of a difference: `loss-3` to `loss-1`, `heat-0`, `gain-1` to `gain-3`."""
    step = sum(abs(difference) >= bound for bound in STEPS)
    if step == 0:
        return "heat-0"
    return f"{'loss' if difference < 0 else 'gain'}-{step}"
