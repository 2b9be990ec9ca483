"""The report without its date and its times, so that two runs of the same thing are told in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mplus_eval.reports.tables import Field, Table, TableRow
from mplus_eval.reports.view import Report

TIMES = ("Time", "time", "Date")


def timeless(report: Report) -> Report:
    """Leave out fields, columns and rows that are dates or times."""
    training, manifest = report.training, report.manifest
    return replace(
        report,
        fields=tuple(_other(report.fields)),
        training=replace(training, table=without_times(training.table)) if training else None,
        manifest=replace(
            manifest, fields=tuple(_other(manifest.fields)), tables=tuple(map(without_times, manifest.tables))
        ),
    )


def _other(fields: Iterable[Field]) -> Iterable[Field]:
    return (field for field in fields if field.name not in TIMES)


def without_times(table: Table) -> Table:
    """The table without columns and rows of times."""
    # The first column heads the rows, and is no cell of theirs.
    kept = [place for place, column in enumerate(table.columns[1:]) if column.text not in TIMES]

    def cut(row: TableRow) -> TableRow:
        return replace(row, cells=tuple(row.cells[place] for place in kept))

    return replace(
        table,
        columns=(table.columns[0], *(table.columns[place + 1] for place in kept)),
        rows=tuple(cut(row) for row in table.rows if row.header.text not in TIMES),
        total=cut(table.total) if table.total else None,
    )
