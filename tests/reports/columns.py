"""Tables that have a column per model, read by model."""

from __future__ import annotations

from mplus_eval.reports.tables import Table, TableCell


def of_model(table: Table | None, model: str) -> dict[str, TableCell]:
    """One model's cells by measure."""
    assert table is not None
    place = [column.text for column in table.columns].index(model) - 1
    return {row.header.text: row.cells[place] for row in table.rows}


def models_of(table: Table) -> list[str]:
    """The models that have a column."""
    return [column.model for column in table.columns if column.model]
