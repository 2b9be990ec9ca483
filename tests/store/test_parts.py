from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from mplus_eval.store import files
from mplus_eval.store.checksummed import DamagedPartError
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import (
    PartInfo,
    cell_parts,
    cell_tables,
    fresh,
    part_info,
    part_path,
    read_cell,
    read_columns,
    read_part,
    values_of,
    write_part,
)

INFO = PartInfo("abc", {"weights": "w", "limit": "none"}, 1, 3, 2.5, {"backend": "hf", "parameters": 7})
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "outcomes.md"


def choice(item: int, **columns: Any) -> Outcome:
    row: dict[str, Any] = {
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
    return Outcome(**row | columns)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    generated = choice(1, choices=None, log_probabilities=None, greedy=None, generations=["x\n\u2028\U0001f600"])
    failed = choice(2, score=None, answer=None, metrics=None, error="the model returned NaN")
    rows = [choice(0), generated, failed]
    path = tmp_path / "cell" / "part-00000.parquet"
    write_part(path, Outcome, rows, INFO)
    assert read_part(path, Outcome) == rows
    assert parquet.read_schema(path).remove_metadata() == Outcome.SCHEMA


def test_a_column_that_came_later_is_left_out_of_an_earlier_part(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"item_id": ["a"], "score": [1.0]}), tmp_path / "part")
    assert read_columns(tmp_path / "part", ["item_id", "n_truncated"]).to_pylist() == [{"item_id": "a"}]


def test_some_columns_can_be_read_alone(tmp_path: Path) -> None:
    write_part(tmp_path / "part", Outcome, [choice(0)], INFO)
    assert read_columns(tmp_path / "part", ["item_id", "score"]).to_pylist() == [
        {"item_id": "mmlu_anatomy:0", "score": 1.0}
    ]


def test_a_part_without_items_is_a_part(tmp_path: Path) -> None:
    write_part(tmp_path / "part", Outcome, [], INFO)
    assert read_part(tmp_path / "part", Outcome) == []
    assert part_info(tmp_path / "part") == INFO


def test_a_row_without_identity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowException):
        write_part(tmp_path / "part", Outcome, [choice(0, item_id=3)], INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_part_says_which_cell_it_belongs_to(tmp_path: Path) -> None:
    write_part(tmp_path / "part", Outcome, [choice(0)], INFO)
    assert part_info(tmp_path / "part") == INFO


def test_a_part_of_a_later_version_may_say_more(tmp_path: Path) -> None:
    said = b'{"fingerprint": "f", "components": {}, "index": 0, "n_parts": 1, "colour": "red"}'
    schema = Outcome.SCHEMA.with_metadata({b"mplus_eval": said})
    parquet.write_table(pa.Table.from_pylist([], schema=schema), tmp_path / "part")
    assert part_info(tmp_path / "part") == PartInfo("f", {}, 0, 1)


def test_a_missing_or_foreign_part_is_no_part(tmp_path: Path) -> None:
    assert part_info(tmp_path / "none") is None
    foreign = tmp_path / "foreign"
    parquet.write_table(pa.table({"a": [1]}), foreign)
    assert part_info(foreign) is None


def test_a_torn_part_is_damaged(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write_part(whole, Outcome, [choice(item) for item in range(50)], INFO)
    content = whole.read_bytes()
    n_footer = int.from_bytes(content[-8:-4], "little")
    torn = [content[:length] for length in (0, 3, 100, len(content) // 2, len(content) - 1)]
    for bytes_left in (*torn, content[: -8 - n_footer] + b"\0" * n_footer + content[-8:]):
        whole.write_bytes(bytes_left)
        with pytest.raises(DamagedPartError, match="is damaged; run the same `mplus-eval compare` again"):
            part_info(whole)


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "part"
    write_part(path, Outcome, [choice(item) for item in range(3)], INFO)
    content, rows = path.read_bytes(), read_part(path, Outcome)
    n_damaged = 0
    for bit in range(0, 8 * len(content), 41):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        try:
            # Only a flip within the checksum's own key leaves a part that reads as one from before.
            assert (read_part(path, Outcome), part_info(path)) == (rows, INFO), bit
        except DamagedPartError:
            n_damaged += 1
    assert n_damaged > 0.98 * len(content) * 8 / 41


def test_a_part_from_before_there_were_checksums_is_read_as_it_is(tmp_path: Path) -> None:
    row = choice(0)
    table = pa.Table.from_pylist([vars(row)], schema=Outcome.SCHEMA)
    parquet.write_table(table, tmp_path / "part")
    assert read_part(tmp_path / "part", Outcome) == [row]


def test_a_part_is_fresh_under_its_fingerprint_and_number_of_parts(tmp_path: Path) -> None:
    path = tmp_path / "part"
    assert fresh(path, "abc") is None
    write_part(path, Outcome, [choice(0)], INFO)
    assert fresh(path, "abc") == fresh(path, "abc", 3) == INFO
    assert fresh(path, "abd") is None
    assert fresh(path, "abc", 2) is None


def test_a_damaged_part_is_set_aside_and_not_fresh(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    write_part(path, Outcome, [choice(0)], INFO)
    path.write_bytes(path.read_bytes()[:-20])
    assert fresh(path, "abc") is None
    assert [each.name for each in tmp_path.iterdir()] == ["part-00000.parquet.damaged"]


def store(folder: Path, index: int, n_parts: int, fingerprint: str = "f", **components: str) -> None:
    rows = [choice(10 * index + item) for item in range(2)]
    write_part(part_path(folder, index), Outcome, rows, PartInfo(fingerprint, components, index, n_parts))


def test_a_cell_is_read_without_the_parts_of_an_earlier_larger_one(tmp_path: Path) -> None:
    for index in range(3):
        store(tmp_path, index, 3, "larger")
    for index in range(2):
        store(tmp_path, index, 2, "smaller")
    assert [path.name for path in cell_parts(tmp_path)] == ["part-00000.parquet", "part-00001.parquet"]
    assert len(list(read_cell(tmp_path, Outcome))) == 4


def test_a_part_of_another_fingerprint_is_not_the_cells(tmp_path: Path) -> None:
    store(tmp_path, 0, 2, "f")
    store(tmp_path, 1, 2, "other")
    assert [path.name for path in cell_parts(tmp_path)] == ["part-00000.parquet"]


def test_a_cell_made_of_something_else_is_not_read(tmp_path: Path) -> None:
    store(tmp_path, 0, 1, answers="these")
    assert len(cell_parts(tmp_path, {"answers": "these"})) == 1
    assert cell_parts(tmp_path, {"answers": "those"}) == []


def test_a_failed_write_leaves_the_old_part_and_no_scrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "part"
    write_part(path, Outcome, [choice(0)], INFO)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_part(path, Outcome, [choice(1)], INFO)
    assert read_part(path, Outcome) == [choice(0)]
    assert list(tmp_path.iterdir()) == [path]


def test_parts_are_numbered_so_that_they_sort() -> None:
    assert part_path(Path("a"), 12) == Path("a/part-00012.parquet")


def test_the_document_describes_every_column_and_no_other() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8").split("## Metadata")[0], re.MULTILINE
    )
    assert documented == Outcome.SCHEMA.names


def test_the_document_describes_all_metadata() -> None:
    from dataclasses import fields

    documented = re.findall(
        r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8").split("## Metadata")[1], re.MULTILINE
    )
    assert documented == [entry.name for entry in fields(PartInfo)]


def test_a_part_that_several_write_is_finished_by_one_of_them(tmp_path: Path) -> None:
    info = PartInfo("f", {}, 0, 1)
    assert write_part(tmp_path / "part", Outcome, [choice(1)], info, once=True)
    stored = (tmp_path / "part").read_bytes()
    assert not write_part(tmp_path / "part", Outcome, [choice(2)], info, once=True)
    assert (tmp_path / "part").read_bytes() == stored


def test_a_part_of_another_plan_and_one_with_items_to_ask_again_make_way(tmp_path: Path) -> None:
    path = tmp_path / "part"
    assert write_part(path, Outcome, [choice(1)], PartInfo("old", {}, 0, 1), once=True)
    assert write_part(path, Outcome, [choice(2)], PartInfo("f", {}, 0, 1, n_outside=1), once=True)
    assert not write_part(path, Outcome, [choice(3)], PartInfo("f", {}, 0, 1, n_outside=2), once=True)
    assert write_part(path, Outcome, [choice(4)], PartInfo("f", {}, 0, 1), once=True)
    assert [row.item_id for row in read_part(path, Outcome)] == [choice(4).item_id]
    path.write_bytes(path.read_bytes()[:-20])
    assert write_part(path, Outcome, [choice(5)], PartInfo("f", {}, 0, 1), once=True)


@pytest.mark.parametrize(
    "odd",
    [
        {"n_parts": 10**12}, {"n_parts": -1}, {"n_parts": "2"}, {"n_parts": True}, {"index": None}, {"fingerprint": 3},
        {"components": []}, {"components": {"answers": 1}}, {"seconds": float("nan")}, {"model": []},
        {"spent": {"a": "b"}}, {"sources": None},
    ],
)  # fmt: skip
def test_a_part_that_says_odd_things_of_itself_is_damaged(tmp_path: Path, odd: dict[str, object]) -> None:
    about = {"fingerprint": "f", "components": {}, "index": 0, "n_parts": 1, **odd}
    table = pa.table({"item_id": ["a"]}).replace_schema_metadata({"mplus_eval": json.dumps(about)})
    parquet.write_table(table, tmp_path / "part-00000.parquet")
    with pytest.raises(DamagedPartError):
        part_info(tmp_path / "part-00000.parquet")


def test_of_some_items_only_parts_that_hold_one_are_read_out(tmp_path: Path) -> None:
    for index in range(3):
        rows = [choice(10 * index + item) for item in range(4)]
        write_part(part_path(tmp_path, index), Outcome, rows, PartInfo("f", {}, index, 3))
    wanted = {"mmlu_anatomy:1", "mmlu_anatomy:22", "mmlu_anatomy:99"}
    found = [table.to_pylist() for table in cell_tables(tmp_path, Outcome, ["item_id", "target"], item_ids=wanted)]
    assert found == [
        [{"item_id": "mmlu_anatomy:1", "target": "B"}],
        [{"item_id": "mmlu_anatomy:22", "target": "B"}],
    ]


def test_maps_come_as_arrow_itself_makes_them() -> None:
    kind = Outcome.SCHEMA.field("metrics").type
    whole = pa.array([[("acc", 1.0), ("f1", None)], None, [], [("acc", 0.5)]], kind)
    column = pa.chunked_array([whole, whole.slice(1), whole.slice(2, 1)])
    assert values_of(column) == column.to_pylist(maps_as_pydicts="strict")
    assert values_of(column)[:3] == [{"acc": 1.0, "f1": None}, None, {}]
