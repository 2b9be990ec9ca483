"""Parquet: tables with types, and every item with its model and task."""

from __future__ import annotations

from pathlib import Path

from pyarrow import parquet

from mplus_eval.exports import StoredRun
from mplus_eval.exports.parquet import as_arrow, write
from mplus_eval.exports.tables import tables_of
from mplus_eval.store.outcomes import Outcome


def test_tables_read_back_equal(run: StoredRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    for name, table in tables_of(run).items():
        back = parquet.read_table(tmp_path / f"{name}.parquet").to_pylist()
        assert back == [{column: row.get(column) for column in back[0]} for row in table]


def test_items_have_model_and_task_and_all_columns(run: StoredRun, tmp_path: Path) -> None:
    write(run, tmp_path)
    table = parquet.read_table(tmp_path / "outcomes" / "mmlu.parquet")
    assert table.column_names == ["model", "task", *Outcome.SCHEMA.names]
    rows = table.to_pylist()
    assert [(row["model"], row["item_id"]) for row in rows[3:5]] == [
        ("base", "mmlu_anatomy/3"),
        ("plus", "mmlu_anatomy/0"),
    ]
    assert rows[0]["log_probabilities"] == [-3.5, -1.25, -3.5]
    assert rows[3]["error"] == "out of memory"


def test_a_column_without_a_value_holds_numbers_and_a_lone_surrogate_is_escaped() -> None:
    table = as_arrow([{"a": None, "b": "\ud800x", "c": 1}, {"a": None, "b": None, "c": 2.5}])
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "double"]
    assert table["b"].to_pylist() == ["\\ud800x", None]
