"""The record of a stage: how it was made, and on what."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.store.hashes import weights_hash
from mplus_eval.training.record import record_of
from mplus_eval.training.stages import stages_of
from mplus_eval.training.training_data import gather
from tests.spec.test_trajectory import record
from tests.training.small import PLUS, recipe


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("reward", ("reward model", "Bradley-Terry", "reward")),
        ("referee", ("reward model", "Bradley-Terry", "reward")),
        ("chosen", ("sft", "SFT", "")),
        ("plus", ("rlhf", "GRPO", "plus")),
        ("named", ("rlhf", "RLOO", "mine")),
    ],
)
def test_a_stage_says_how_it_trains(name: str, method: tuple[str, str, str], tmp_path: Path) -> None:
    rlhf = {"plus": {**PLUS, "algorithm": "grpo"}, "named": {**PLUS, "role": "mine"}}
    asked = recipe(tmp_path, rlhf=rlhf)
    data = gather(asked)
    record = record_of(stages_of(asked, data)[name], asked, data, time.monotonic(), 2, 4)
    assert (record.method, record.algorithm, record.role) == method


def test_replayed_texts_are_data_of_language_models_alone(tmp_path: Path) -> None:
    asked = recipe(tmp_path, replay={"texts": "demo:texts", "n": 4})
    data = gather(asked)
    stages = stages_of(asked, data)

    def kinds(name: str) -> list[str]:
        record = record_of(stages[name], asked, data, time.monotonic() - 10, 2, 4, ("w",))
        assert (record.name, record.step, record.total_steps) == (name, 2, 4)
        assert 10 <= record.seconds < 11
        assert (record.stage_hash, record.warnings, record.dose) == (stages[name].hash, ("w",), None)
        return [entry.kind for entry in record.data]

    assert kinds("reward") == kinds("referee") == ["pairs"]
    assert kinds("chosen") == ["chosen answers", "texts"]
    assert kinds("plus") == ["prompts", "texts"]


def test_the_weights_of_the_reward_models_that_weigh_in_are_recorded_and_those_looked_at_are_not(
    tmp_path: Path,
) -> None:
    other = weights_folder(tmp_path / "other", b"other")
    rewards = {
        "own": {},
        "other": {"source": str(other)},
        "idle": {"source": str(weights_folder(tmp_path / "idle", b"idle")), "weight": 0.0},
        "vowels": {"kind": "function", "source": "tests.training.small:share_of_vowels"},
    }
    asked = recipe(tmp_path / "run", rlhf={"plus": {**PLUS, "rewards": rewards}})
    data = gather(asked)
    own = weights_folder(tmp_path / "run" / "reward", b"own")
    weights_folder(tmp_path / "run" / "referee", b"referee")

    def recorded(name: str) -> tuple[str, ...] | None:
        return record_of(stages_of(asked, data)[name], asked, data, time.monotonic(), 2, 4).reward_models

    assert recorded("plus") == (weights_hash(own), weights_hash(other))
    assert recorded("chosen") == recorded("reward") == ()
    # What trained the base, trained what is made of it.
    base = tmp_path / "aligned"
    base.mkdir()
    record(4, reward_models=("earlier",)).write(base)
    data = replace(data, base=base)
    assert recorded("plus") == ("earlier", weights_hash(own), weights_hash(other))
    assert recorded("chosen") == ("earlier",)


def weights_folder(folder: Path, weights: bytes) -> Path:
    """A folder that has weights to hash, and is no model."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_stage_without_replay_names_no_texts(tmp_path: Path) -> None:
    asked = recipe(tmp_path, replay={"texts": "demo:texts", "n": 4}, rlhf={"plus": {**PLUS, "replay": False}})
    data = gather(asked)
    record = record_of(stages_of(asked, data)["plus"], asked, data, time.monotonic(), 2, 4)
    assert [entry.kind for entry in record.data] == ["prompts"]
