"""What a training left is found: this project's by its records, transformers' Trainer's as Trainer really writes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.spec.training_directory import find_training, not_whole, saved_steps
from tests.spec.test_trajectory import write_training


def test_steps_are_found_in_the_order_of_training_without_the_final_one(tmp_path: Path) -> None:
    training = find_training(write_training(tmp_path / "run", 10, 5, 100, final=100))

    assert [saved.step for saved in training.steps] == [5, 10]
    assert [saved.path.name for saved in training.steps] == ["checkpoint-5", "checkpoint-10"]
    assert (training.final, training.name, training.role, training.base) == (100, "plus", "plus", "/models/base")


def test_a_checkpoint_without_a_record_is_not_whole_and_left_out(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 5)
    (folder / "checkpoint-10").mkdir()

    assert [saved.step for saved in find_training(folder).steps] == [5]
    assert not_whole(folder) == {folder / "checkpoint-10": "it has no training.json, which is written last"}


def test_a_directory_that_is_missing_or_no_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        find_training(tmp_path / "absent")
    with pytest.raises(UsageError, match="not a training directory; a checkpoint-N with a "):
        find_training(tmp_path)


def test_a_final_model_alone_has_no_saved_steps(tmp_path: Path) -> None:
    folder = write_training(tmp_path / "run", 30, final=30)

    assert saved_steps(folder) == ()
    with pytest.raises(UsageError, match="no saved step besides the final checkpoint; a checkpoint-N with"):
        find_training(folder)


@pytest.fixture
def of_trainer(trainer_output: Path, tmp_path: Path) -> Path:
    """A copy of what Trainer wrote: the steps 2 and 4 and the final model, whole ones, without a tokenizer."""
    return shutil.copytree(trainer_output, tmp_path / "my sft")


def test_what_trainer_saved_is_found_and_the_last_step_is_the_final_model(of_trainer: Path) -> None:
    training = find_training(of_trainer)

    assert [(saved.path.name, saved.step) for saved in training.steps] == [("checkpoint-2", 2)]
    assert (training.final, training.name, training.role) == (4, "my-sft", "")
    assert (training.base, training.adapts) == ("", "")
    assert not_whole(of_trainer) == {}


def test_the_best_step_is_the_final_model_where_trainer_went_back_to_it(of_trainer: Path) -> None:
    state = json.loads((of_trainer / "checkpoint-4" / "trainer_state.json").read_text())
    (of_trainer / "checkpoint-4" / "trainer_state.json").write_text(json.dumps({**state, "best_global_step": 2}))
    shutil.copy(of_trainer / "checkpoint-2" / "model.safetensors", of_trainer)

    training = find_training(of_trainer)
    assert (training.final, [saved.step for saved in training.steps]) == (2, [4])


def test_a_final_model_that_no_step_equals_comes_after_all_steps_that_were_planned(of_trainer: Path) -> None:
    shutil.rmtree(of_trainer / "checkpoint-4")

    training = find_training(of_trainer)
    assert (training.final, [saved.step for saved in training.steps]) == (4, [2])


def test_while_trainer_goes_on_there_is_no_final_model(of_trainer: Path) -> None:
    (of_trainer / "model.safetensors").unlink()

    training = find_training(of_trainer)
    assert (training.final, [saved.step for saved in training.steps]) == (None, [2, 4])


def test_adapters_name_their_base(adapter_output: Path, trainer_base: Path) -> None:
    training = find_training(adapter_output)

    assert training.base == training.adapts == str(trainer_base)
    assert (training.final, [saved.step for saved in training.steps]) == (None, [2, 4])


def test_a_step_that_is_being_written_is_left_out_with_what_it_lacks(of_trainer: Path) -> None:
    (of_trainer / "checkpoint-4" / "trainer_state.json").unlink()

    assert [saved.step for saved in find_training(of_trainer).steps] == [2]
    assert not_whole(of_trainer) == {
        of_trainer / "checkpoint-4": "it has no whole trainer_state.json, which is written last"
    }
    (of_trainer / "checkpoint-4" / "trainer_state.json").write_text('{"global_')
    assert list(not_whole(of_trainer)) == [of_trainer / "checkpoint-4"]


def test_a_step_without_all_weights_is_left_out_with_what_it_lacks(of_trainer: Path) -> None:
    step = of_trainer / "checkpoint-4"
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (step / "model.safetensors").rename(step / shards[0])
    (step / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}))
    assert not_whole(of_trainer) == {step: f"it lacks {shards[1]}"}

    (step / shards[1]).touch()
    assert not_whole(of_trainer) == {}

    for name in ("model.safetensors.index.json", *shards):
        (step / name).unlink()
    assert not_whole(of_trainer) == {step: "it has no weights"}
    (step / "pytorch_model_fsdp_0").mkdir()
    assert not_whole(of_trainer)[step].endswith("only the shards of a group of processes; merge them first")


def test_where_no_step_is_whole_each_is_named_with_what_it_lacks(of_trainer: Path) -> None:
    for step in (2, 4):
        (of_trainer / f"checkpoint-{step}" / "trainer_state.json").unlink()

    with pytest.raises(UsageError) as caught:
        find_training(of_trainer)
    (line,) = str(caught.value).splitlines()
    assert "not a training directory" in line
    assert "checkpoint-2 is left out: it has no whole trainer_state.json" in line
    assert "checkpoint-4 is left out" in line
