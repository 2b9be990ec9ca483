from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from mplus_eval.store.parts import (
    ANSWER_SCHEMA,
    OUTCOME_SCHEMA,
    PartInfo,
    part_info,
    part_path,
    read_part,
    write_part,
)

INFO = PartInfo("abc", {"weights": "w", "limit": "none"}, 1, 3, 2.5, {"backend": "hf", "parameters": 7})
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "outcomes.md"


def choice(item: int, **columns: Any) -> dict[str, Any]:
    row = {
        "item_id": f"mmlu_anatomy:{item}",
        "stratum": "mmlu_anatomy",
        "cluster": None,
        "sample": 0,
        "prompt_hash": "00",
        "prompt": "Which?\n",
        "asked": None,
        "choices": ["A", "B"],
        "log_probabilities": [-1.5, -0.25],
        "greedy": [False, True],
        "generations": None,
        "n_truncated": 0,
        "n_tokens": None,
        "ended": None,
        "error": None,
        "target": "B",
        "answer": "B",
        "score": 1.0,
        "metrics": {"acc,none": 1.0, "acc_norm,none": 0.0},
    }
    return row | columns


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    generated = choice(1, choices=None, log_probabilities=None, greedy=None, generations=["x\n\u2028\U0001f600"])
    failed = choice(2, score=None, answer=None, metrics=None, error="the model returned NaN")
    rows = [choice(0), generated, failed]
    path = tmp_path / "cell" / "part-00000.parquet"
    write_part(path, rows, OUTCOME_SCHEMA, INFO)
    assert read_part(path) == rows
    assert parquet.read_schema(path).remove_metadata() == OUTCOME_SCHEMA


def test_a_column_that_came_later_is_left_out_of_an_earlier_part(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"item_id": ["a"], "score": [1.0]}), tmp_path / "part")
    assert read_part(tmp_path / "part", ["item_id", "n_truncated"]) == [{"item_id": "a"}]


def test_answers_hold_no_score(tmp_path: Path) -> None:
    write_part(tmp_path / "part", [choice(0)], ANSWER_SCHEMA, INFO)
    (row,) = read_part(tmp_path / "part")
    assert "score" not in row
    assert row["log_probabilities"] == [-1.5, -0.25]


def test_some_columns_can_be_read_alone(tmp_path: Path) -> None:
    write_part(tmp_path / "part", [choice(0)], OUTCOME_SCHEMA, INFO)
    assert read_part(tmp_path / "part", ["item_id", "score"]) == [{"item_id": "mmlu_anatomy:0", "score": 1.0}]


def test_a_part_without_items_is_a_part(tmp_path: Path) -> None:
    write_part(tmp_path / "part", [], OUTCOME_SCHEMA, INFO)
    assert read_part(tmp_path / "part") == []
    assert part_info(tmp_path / "part") == INFO


def test_a_row_without_identity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowException):
        write_part(tmp_path / "part", [choice(0, item_id=3)], OUTCOME_SCHEMA, INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_part_says_which_cell_it_belongs_to(tmp_path: Path) -> None:
    write_part(tmp_path / "part", [choice(0)], OUTCOME_SCHEMA, INFO)
    assert part_info(tmp_path / "part") == INFO


def test_a_part_of_a_later_version_may_say_more(tmp_path: Path) -> None:
    said = b'{"fingerprint": "f", "components": {}, "index": 0, "n_parts": 1, "colour": "red"}'
    schema = OUTCOME_SCHEMA.with_metadata({b"mplus_eval": said})
    parquet.write_table(pa.Table.from_pylist([], schema=schema), tmp_path / "part")
    assert part_info(tmp_path / "part") == PartInfo("f", {}, 0, 1)


def test_a_missing_foreign_or_torn_part_is_no_part(tmp_path: Path) -> None:
    assert part_info(tmp_path / "none") is None
    foreign = tmp_path / "foreign"
    parquet.write_table(pa.table({"a": [1]}), foreign)
    assert part_info(foreign) is None
    whole = tmp_path / "whole"
    write_part(whole, [choice(item) for item in range(50)], OUTCOME_SCHEMA, INFO)
    content = whole.read_bytes()
    for length in (0, 3, 100, len(content) // 2, len(content) - 1):
        whole.write_bytes(content[:length])
        assert part_info(whole) is None, length
    n_footer = int.from_bytes(content[-8:-4], "little")
    whole.write_bytes(content[: -8 - n_footer] + b"\0" * n_footer + content[-8:])
    assert part_info(whole) is None


def test_a_failed_write_leaves_the_old_part_and_no_scrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "part"
    write_part(path, [choice(0)], OUTCOME_SCHEMA, INFO)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        write_part(path, [choice(1)], OUTCOME_SCHEMA, INFO)
    assert read_part(path) == [choice(0)]
    assert list(tmp_path.iterdir()) == [path]


def test_parts_are_numbered_so_that_they_sort() -> None:
    assert part_path(Path("a"), 12) == Path("a/part-00012.parquet")


def test_the_document_describes_every_column_and_no_other() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8").split("## Metadata")[0], re.MULTILINE
    )
    assert documented == OUTCOME_SCHEMA.names


def test_the_document_describes_all_metadata() -> None:
    from dataclasses import fields

    documented = re.findall(
        r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8").split("## Metadata")[1], re.MULTILINE
    )
    assert documented == [entry.name for entry in fields(PartInfo)]
