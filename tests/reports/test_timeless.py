from __future__ import annotations

from pathlib import Path

from mplus_eval.reports.render import render_markdown
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow
from mplus_eval.reports.timeless import without_times
from mplus_eval.reports.view import build_report
from tests.reports import build


def test_two_runs_of_the_same_thing_are_told_in_the_same_words(tmp_path: Path) -> None:
    comparison = build.trained()
    slower = {
        name: entry.model_copy(update={"training": entry.training.model_copy(update={"seconds": 9999.0})})
        if entry.training
        else entry
        for name, entry in comparison.models.items()
    }
    (cell,) = build.MANIFEST["cells"]
    again = build.MANIFEST | {
        "created": "2027-01-02T03:04:05+00:00",
        "seconds": 1.0,
        "cells": [cell | {"seconds": 2.0}],
    }
    first = render_markdown(build_report(comparison, build.MANIFEST, tmp_path))
    second = render_markdown(build_report(comparison.model_copy(update={"models": slower}), again, tmp_path))
    assert first == second
    assert "0f1e2d3c4b5a" in first
    assert "\n| Method |" in first
    assert "\n| Time |" not in first


def test_the_page_keeps_them(tmp_path: Path) -> None:
    report = build_report(build.trained(), build.MANIFEST, tmp_path)
    assert ("time", "4 h 7 min") in [(field.name, field.value) for field in report.manifest.fields]
    assert "Date" in [field.name for field in report.fields]


def test_columns_of_times_are_left_out_of_every_row() -> None:
    columns = (Column("Cell"), Column("Items"), Column("Time"), Column("Hash"))
    row = TableRow(TableCell("a"), (TableCell("7"), TableCell("3 s"), TableCell("ff")))
    table = without_times(Table("Cells.", columns, (row,), total=row))
    assert [column.text for column in table.columns] == ["Cell", "Items", "Hash"]
    assert table.total is not None
    assert [cell.text for cell in table.rows[0].cells] == [cell.text for cell in table.total.cells] == ["7", "ff"]
