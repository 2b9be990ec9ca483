"""The directory of a stage: whose it is, and what a killed process left in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.training.stage import Stage, step_of
from tests.spec.test_trajectory import record, write_training

COMPONENTS = {"base": "a", "data": "b", "seed": "0"}


def stage(directory: Path, **changes: str) -> Stage:
    return Stage("plus", directory, {**COMPONENTS, **changes})


def begun(directory: Path) -> Stage:
    directory.mkdir(exist_ok=True)
    mine = stage(directory)
    mine.begin()
    return mine


def test_a_new_or_empty_directory_may_be_used(tmp_path: Path) -> None:
    assert stage(tmp_path / "absent").fault() is None
    assert stage(tmp_path).fault() is None


def test_a_directory_of_the_same_stage_may_be_used_again(tmp_path: Path) -> None:
    begun(tmp_path)
    assert stage(tmp_path).fault() is None


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    begun(tmp_path)
    fault = stage(tmp_path, seed="1", data="c").fault()
    assert fault is not None
    assert "holds another run, with different data, seed;" in fault
    more = stage(tmp_path, **{"reward model": "r"}).fault()
    assert more is not None
    assert "different reward model;" in more


@pytest.mark.parametrize("text", ["{half", "[1]", '"text"'])
def test_a_file_that_is_not_a_stage_is_something_else(text: str, tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_text(text)
    fault = stage(tmp_path).fault()
    assert fault is not None
    assert "holds something else" in fault


def test_the_hash_is_of_every_component_and_not_of_the_place(tmp_path: Path) -> None:
    assert stage(tmp_path).hash == stage(tmp_path / "elsewhere").hash
    assert len({stage(tmp_path).hash, stage(tmp_path, seed="1").hash, stage(tmp_path, base="x").hash}) == 3


def test_a_stage_is_complete_once_its_own_record_is_there(tmp_path: Path) -> None:
    mine = begun(tmp_path)
    assert mine.record is None
    record(4, stage_hash="another").write(tmp_path)
    assert mine.record is None
    record(4, stage_hash=mine.hash).write(tmp_path)
    assert mine.record is not None
    assert mine.record.step == 4


def test_saved_steps_are_in_order_of_number_and_only_whole_ones_count(tmp_path: Path) -> None:
    mine = begun(write_training(tmp_path / "plus", 100, 20, 3, stage_hash=stage(tmp_path).hash))
    (mine.directory / "checkpoint-200").mkdir()
    assert [step_of(path) for path in mine.checkpoints()] == [3, 20, 100]
    assert mine.last_checkpoint() == mine.directory / "checkpoint-100"
    assert begun(tmp_path / "new").last_checkpoint() is None


def logged(directory: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (directory / "steps.jsonl").read_text().splitlines()]


def test_what_a_killed_process_left_is_dropped(tmp_path: Path) -> None:
    mine = begun(write_training(tmp_path / "plus", 2, 4, stage_hash=stage(tmp_path).hash))
    (mine.directory / "checkpoint-6").mkdir()
    (mine.directory / "checkpoint-6" / "model.safetensors").write_bytes(b"half")
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in range(1, 7)]
    (mine.directory / "steps.jsonl").write_text("\n".join([*lines, '{"step": 7, "lo']))

    mine.begin()

    assert [path.name for path in sorted(mine.directory.glob("checkpoint-*"))] == ["checkpoint-2", "checkpoint-4"]
    assert logged(mine.directory) == [1, 2, 3, 4]


def test_without_a_whole_step_the_log_begins_anew(tmp_path: Path) -> None:
    mine = begun(tmp_path / "plus")
    (mine.directory / "steps.jsonl").write_text('{"step": 1}\n{"loss": 1}\n')
    mine.begin()
    assert logged(mine.directory) == []
