from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability import axis as capability_axis
from mplus_eval.models.cells import Cell, Part
from mplus_eval.pipeline.executors.work import Shard, chunks, cut
from tests.toy import Bench


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Twelve items, in parts of five, five and two."""
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    return Bench(tmp_path).plan().cells[0]


def test_a_cell_is_one_shard_where_it_need_not_be_cut(cell: Cell) -> None:
    (shard,) = cut(cell, cell.parts, 60.0)
    assert (shard.model, shard.cell, shard.parts, shard.n_parts) == ("base", ("base", "sums"), (0, 1, 2), 3)
    assert shard.seconds == 60.0
    assert shard.fingerprint == cell.fingerprint


def test_shards_end_with_a_part_once_they_are_long_enough(cell: Cell) -> None:
    # 60 s of 12 items: 25 s for each part of five, 10 s for the last.
    assert [(each.parts, each.seconds) for each in cut(cell, cell.parts, 60.0, 20.0)] == [
        ((0,), 25.0),
        ((1,), 25.0),
        ((2,), 10.0),
    ]
    assert [each.parts for each in cut(cell, cell.parts, 60.0, 30.0)] == [(0, 1), (2,)]


def test_chunks_are_of_one_round() -> None:
    parts = [Part(number, "t", (number,), 0 if number < 5 else 1) for number in range(7)]
    assert [[part.index for part in chunk] for chunk in chunks(parts)] == [[0, 1, 2, 3], [4], [5, 6]]


def test_a_shard_names_its_parts() -> None:
    assert Shard("plus", ("plus", "mmlu"), "", (3, 4, 7)).name == "plus × mmlu, parts 3 to 7"
    assert Shard("plus", ("plus", "mmlu"), "", (3,)).name == "plus × mmlu, part 3"
