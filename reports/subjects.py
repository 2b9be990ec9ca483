"""Capability by subject: differences from the baseline within the strata of a task, as a heat table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.tables import Column, ModelLabel, Table, TableCell, TableRow, number, number_if_known
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


def subject_tables(comparison: Comparison, labels: Mapping[str, ModelLabel]) -> tuple[TaskSubjects, ...]:
    """One heat table for every task that has more than one stratum.

    It holds the baseline's score of each subject, and the others' differences from it, shaded by size. A star marks a
    difference that still stands after Holm over all subjects of the task.
    """
    baseline = comparison.baseline
    others = [name for name in labels if name != baseline]
    columns = (
        Column("Subject", is_numeric=False),
        Column("n"),
        Column(baseline, css=labels[baseline].css),
        *(Column(name, css=labels[name].css) for name in others),
    )
    caption = f"Score of {baseline} in percent{'; differences from it in points.' if others else '.'}"
    tables = []
    for task, entry in ((task, entry) for task, entry in comparison.tasks.items() if entry.subjects):
        unit, rows = Unit.of(entry), []
        names = {name: one_line(short) for name, short in without_common_prefix(list(entry.subjects)).items()}
        for name, subject in entry.subjects.items():
            base = subject.scores.get(baseline)
            cells = [
                number(formats.count(subject.n_items), subject.n_items),
                number_if_known(base.value if base else None, unit.score),
            ]
            for contrast in map(subject.contrasts.get, others):
                if contrast is None:
                    cells.append(TableCell("–", css="n heat-0"))
                    continue
                star = "*" if contrast.p_adjusted < comparison.level else ""
                shade = heat(unit.gain(contrast.difference)) if unit.is_fraction else "heat-0"
                cells.append(number(unit.difference(contrast.difference) + star, contrast.difference, f"n {shade}"))
            rows.append(TableRow(TableCell(names[name], key=names[name]), tuple(cells)))
        title = f"{task}: {formats.counted(len(entry.subjects), 'subject')}"
        tables.append(TaskSubjects(task, title, Table(caption, columns, tuple(rows), is_sortable=True)))
    return tuple(tables)


def heat(difference: float) -> str:
    """The shade of a difference: `loss-3` to `loss-1`, `heat-0`, `gain-1` to `gain-3`."""
    step = sum(abs(difference) >= bound for bound in STEPS)
    if step == 0:
        return "heat-0"
    return f"{'loss' if difference < 0 else 'gain'}-{step}"
