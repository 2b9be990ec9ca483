"""Whatever happens to the files of a training, the next one ends in the weights of an undisturbed one."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from mplus_eval.errors import MplusError, SpecError
from mplus_eval.models.checkpoints import checkpoint_faults
from mplus_eval.records.training import read_record
from mplus_eval.rewards.model import SCALE_FILE, RewardModel
from mplus_eval.training.hooks import Hooks
from mplus_eval.training.stage import Stage
from mplus_eval.training.train import train
from mplus_eval.training.training_run import begin_run, complete_stage
from tests.damage import flip, truncate, zero
from tests.training.small import copy_of_killed, rlhf_recipe, same

WEIGHTS = "model.safetensors"


def to_nan(path: Path) -> None:
    tensors = load_file(path)
    save_file({key: tensor * float("nan") for key, tensor in tensors.items()}, path, metadata={"format": "pt"})


FAULTS: tuple[Callable[[Path], None], ...] = (flip, truncate, zero, Path.unlink)


def stage_of(plus: Path) -> Stage:
    """The stage of a directory, as a next run would find it."""
    record = read_record(plus)
    assert record is not None
    stage = Stage("plus", plus, {})
    stage.__dict__["hash"] = record.stage_hash
    return stage


@pytest.fixture
def copied(by_vowels: Path, tmp_path: Path) -> Path:
    """A finished training, to be damaged."""
    return Path(shutil.copytree(by_vowels, tmp_path / "run" / "plus"))


@pytest.mark.parametrize(
    ("name", "fault"),
    [(WEIGHTS, truncate), (WEIGHTS, flip), (WEIGHTS, to_nan), ("tokenizer.json", flip), ("config.json", Path.unlink)],
)
def test_a_finished_stage_that_lost_what_it_left_is_not_taken_as_done(
    copied: Path, name: str, fault: Callable[[Path], None]
) -> None:
    stage = stage_of(copied)
    assert stage.record is not None
    fault(copied / name)
    assert stage.record is None
    (why,) = checkpoint_faults(copied, "model 'plus'", own_tokenizer=True)
    assert name in why


def test_a_record_in_which_a_bit_was_flipped_is_none(copied: Path) -> None:
    text = (copied / "training.json").read_text(encoding="utf-8")
    (copied / "training.json").write_text(text.replace('"step": 4', '"step": 5'), encoding="utf-8")
    assert read_record(copied) is None


@pytest.mark.parametrize("name", [WEIGHTS, "optimizer.pt", "rng_state.pth", "trainer_state.json", "training.json"])
def test_a_damaged_saved_step_is_left_for_the_one_before(copied: Path, name: str) -> None:
    stage, said = stage_of(copied), list[str]()
    flip(copied / "checkpoint-4" / name)
    last = stage.last_checkpoint()
    assert last == copied / "checkpoint-2"
    stage.begin(said.append)
    assert [path.name for path in copied.glob("checkpoint-*")] == ["checkpoint-2"]
    if name != "training.json":
        (line,) = said
        assert f"checkpoint-4 is damaged, so it is made again ({name} " in line
        assert line.endswith("training goes on from checkpoint-2")


def test_a_saved_step_of_another_training_is_not_gone_on_from(copied: Path) -> None:
    stage = stage_of(copied)
    record = read_record(copied / "checkpoint-4")
    assert record is not None
    record.model_copy(update={"stage_hash": "another"}).write(copied / "checkpoint-4")
    assert stage.last_checkpoint() == copied / "checkpoint-2"


def test_a_stage_whose_own_file_is_damaged_is_known_by_its_checkpoints(copied: Path) -> None:
    stage = stage_of(copied)
    (copied / "stage.json").write_bytes(b"\x00" * 20)
    assert stage.fault() is None
    for path in copied.rglob("training.json"):
        path.unlink()
    fault = stage.fault()
    assert fault is not None
    assert "holds something else" in fault


def test_what_was_damaged_is_trained_again_to_the_same_weights(by_vowels: Path, copied: Path) -> None:
    truncate(copied / WEIGHTS)
    flip(copied / "checkpoint-4" / "optimizer.pt")
    said: list[str] = []
    train(rlhf_recipe(copied.parent), say=said.append)
    assert same(copied, by_vowels)
    assert same(copied / "checkpoint-4", by_vowels / "checkpoint-4")
    assert [line.partition(" is damaged")[0] for line in said] == [
        f"plus: {copied}",
        f"plus: {copied / 'checkpoint-4'}",
    ]


def test_a_resumed_stage_saves_no_truncation_that_a_measurement_asked_for(by_vowels: Path, tmp_path: Path) -> None:
    copy_of_killed(by_vowels, tmp_path / "run" / "plus", without=())
    run = begin_run(rlhf_recipe(tmp_path / "run"), None, Hooks(lambda *_: None, lambda _: None, None))
    run.data.tokenizer(["a text"], truncation=True, max_length=1, padding=True)
    complete_stage(run, "plus")
    saved = (tmp_path / "run" / "plus" / "tokenizer.json").read_bytes()
    assert saved == (by_vowels / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_reward_model_without_its_own_scale_judges_nothing(
    trained: Path, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    reward = Path(shutil.copytree(trained / "reward", tmp_path / "reward"))
    RewardModel.load(reward)
    fault(reward / SCALE_FILE)
    with pytest.raises(SpecError, match=SCALE_FILE):
        RewardModel.load(reward)


def refusal(output: Path) -> str | None:
    """What a training says that is not begun; None of one that was finished."""
    try:
        train(rlhf_recipe(output))
    except MplusError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
def test_no_random_damage_of_a_training_ends_in_other_weights(by_vowels: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        plus = Path(shutil.copytree(by_vowels, tmp_path / str(number) / "plus"))
        files = sorted(path for path in plus.rglob("*") if path.is_file() and path.stat().st_size)
        for path in chance.sample(files, chance.choice((1, 1, 2, 4))):
            chance.choice(FAULTS)(path)
        if (line := refusal(plus.parent)) is None:
            assert same(plus, by_vowels)
        else:
            assert str(plus) in line
            assert "\n" not in line
        shutil.rmtree(plus.parent)
