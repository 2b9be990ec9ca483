"""Capability by subject: differences from the baseline within the strata of a task, as a heat table."""

from __future__ import annotations

from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, Subject, Task
from mplus_eval.reports import formats
from mplus_eval.reports.tables import Cell, Column, ModelLabel, Row, Table, number
from mplus_eval.reports.text import one_line, without_common_prefix
from mplus_eval.reports.units import Unit

STEPS = (0.01, 0.03, 0.06)
"""Where the colour grows darker, as fractions."""


@dataclass(frozen=True)
class TaskSubjects:
    """The subjects of one task."""

    task: str
    title: str
    table: Table


def subject_tables(comparison: Comparison, labels: dict[str, ModelLabel]) -> tuple[TaskSubjects, ...]:
    """One heat table for every task that has more than one stratum."""
    return tuple(
        TaskSubjects(
            name, f"{name}: {formats.counted(len(task.subjects), 'subject')}", _table(task, comparison, labels)
        )
        for name, task in comparison.tasks.items()
        if task.subjects
    )


def _table(task: Task, comparison: Comparison, labels: dict[str, ModelLabel]) -> Table:
    others = [name for name in labels if name != comparison.baseline]
    shorter = without_common_prefix(list(task.subjects))
    names = {name: one_line(short) for name, short in shorter.items()}
    columns = (
        Column("Subject", is_numeric=False),
        Column("n"),
        Column(comparison.baseline, css=labels[comparison.baseline].css),
        *(Column(name, css=labels[name].css) for name in others),
    )
    rows = tuple(
        Row(Cell(names[name], key=names[name]), _cells(subject, comparison, others, Unit.of(task)))
        for name, subject in task.subjects.items()
    )
    caption = f"Score of {comparison.baseline} in percent"
    caption += "; differences from it in points." if others else "."
    return Table(caption, columns, rows, is_sortable=True)


def _cells(subject: Subject, comparison: Comparison, others: list[str], unit: Unit) -> tuple[Cell, ...]:
    base = subject.scores.get(comparison.baseline)
    value = base.value if base else None
    return (
        number(formats.count(subject.n_items), subject.n_items),
        number("–" if value is None else unit.score(value), value),
        *(_difference(subject, name, comparison.level, unit) for name in others),
    )


def _difference(subject: Subject, model: str, level: float, unit: Unit) -> Cell:
    """The difference with its shade; a star where it still stands after Holm over all subjects of the task."""
    contrast = subject.contrasts.get(model)
    if contrast is None:
        return Cell("–", css="n heat-0")
    star = "*" if contrast.p_adjusted < level else ""
    shade = heat(unit.gain(contrast.difference)) if unit.is_fraction else "heat-0"
    return number(unit.difference(contrast.difference) + star, contrast.difference, f"n {shade}")


def heat(difference: float) -> str:
    """The shade of a difference: `loss-3` to `loss-1`, `heat-0`, `gain-1` to `gain-3`."""
    step = sum(abs(difference) >= bound for bound in STEPS)
    if step == 0:
        return "heat-0"
    return f"{'loss' if difference < 0 else 'gain'}-{step}"
