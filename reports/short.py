"""The report for a comment on a pull request: the decision, the tasks that matter most, and what is missing.

It stays under a length whatever the run: tasks, models and missing cells beyond the first ones are counted instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mplus_eval.reports import formats
from mplus_eval.reports.decision import Decision, Grid
from mplus_eval.reports.finding import Finding
from mplus_eval.reports.matrix import MissingCell
from mplus_eval.reports.tables import Table, TableCell, TableRow
from mplus_eval.reports.text import truncate_end
from mplus_eval.reports.verdicts import MARKS, VERDICTS
from mplus_eval.reports.view import Report

MOST_SHOWN = (50, 25, 12, 6, 3, 1)
"""Tasks, models and missing cells that are shown; the first number with which the text is short enough."""
TEXT_LENGTH = 160
TITLE_LENGTH = 240
TELLING = tuple(mark for verdict, mark in MARKS.items() if VERDICTS[verdict].tasks)


@dataclass(frozen=True)
class ShortReport:
    """What a comment on a pull request says."""

    title: str
    margins: str
    grid: Grid
    tasks: Table | None
    signs: str
    missing: tuple[MissingCell, ...]
    left_off: tuple[str, ...]
    made_by: str


def short_reports(report: Report) -> Iterator[ShortReport]:
    """The same report shorter and shorter."""
    for most in MOST_SHOWN:
        yield short_report(report, most)


def short_report(report: Report, most: int) -> ShortReport:
    """The report with so many models, tasks and missing cells, and the others counted."""
    decisions = report.decisions
    return ShortReport(
        title=truncate_end(report.title, TITLE_LENGTH),
        margins=truncate_end(report.margins, TITLE_LENGTH),
        grid=replace(report.grid, decisions=tuple(_shortened(decision) for decision in decisions[:most])),
        tasks=_most_telling(report.matrix, most) if report.matrix else None,
        signs=", ".join(f"{entry.mark.letter} {entry.mark.word}" for entry in report.legend),
        missing=tuple(replace(cell, cause=truncate_end(cell.cause, TEXT_LENGTH)) for cell in report.missing[:most]),
        left_off=tuple(_left_off(report, most)),
        made_by=report.made_by,
    )


def _shortened(decision: Decision) -> Decision:
    return replace(decision, axes=tuple(_cut(finding) for finding in decision.axes))


def _cut(finding: Finding) -> Finding:
    notes = tuple(replace(note, text=truncate_end(note.text, TEXT_LENGTH)) for note in finding.notes)
    return replace(finding, reason=truncate_end(finding.reason, TEXT_LENGTH), notes=notes)


def _is_telling(row: TableRow) -> bool:
    """Whether anything was lost, gained or not there to lose on a task."""
    return any(cell.mark in TELLING for cell in row.cells)


def _most_telling(matrix: Table, most: int) -> Table:
    """The matrix with the tasks first on which something was lost or gained, and with the first models.

    A cell is a sign and a difference; the baseline has its score.
    """
    rows = sorted(matrix.rows, key=lambda row: not _is_telling(row))[:most]
    total = matrix.total
    return Table(
        matrix.caption,
        matrix.columns[: most + 2],
        tuple(_row(row, most) for row in rows),
        _row(total, most) if total else None,
    )


def _row(row: TableRow, most: int) -> TableRow:
    return TableRow(TableCell(row.header.strong or row.header.text), tuple(map(_cell, row.cells[: most + 1])))


def _cell(cell: TableCell) -> TableCell:
    """A cell in few letters: `− −6.2 [−11.6, −2.0]`, the score alone, or the sign and the cause."""
    if cell.mark is None:
        return TableCell(cell.text)
    told = f"{cell.strong} {cell.note}" if cell.strong else truncate_end(cell.text or cell.note, TEXT_LENGTH)
    return TableCell(f"{cell.mark.letter} {told}")


def _left_off(report: Report, most: int) -> Iterator[str]:
    """How many models, tasks and missing cells are not shown, and what their verdicts are."""
    n_models, rows = len(report.decisions), report.matrix.rows if report.matrix else ()
    if n_models > most:
        yield f"… and {formats.counted(n_models - most, 'more model')}"
    if len(rows) > most:
        others = sorted(rows, key=lambda row: not _is_telling(row))[most:]
        counts = Counter(cell.mark.word for row in others for cell in row.cells if cell.mark)
        told = ", ".join(f"{formats.count(n)} {word}" for word, n in counts.most_common())
        more = f"… and {formats.counted(len(others), 'more task')}"
        yield f"{more} ({formats.counted(sum(counts.values()), 'cell')}: {told})" if told else more
    if len(report.missing) > most:
        yield f"… and {formats.counted(len(report.missing) - most, 'more missing cell')}"
