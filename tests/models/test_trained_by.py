"""Which reward models trained a checkpoint: by its record, and where that is silent by what lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.trained_by import trained_by
from mplus_eval.store.hashes import weights_hash
from tests.spec.test_trajectory import record


def checkpoint(folder: Path, weights: bytes, **fields: Any) -> Path:
    """A folder that passes for a checkpoint; with a training record where there are fields of one."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    if fields:
        record(9, **{"name": folder.name, **fields}).write(folder)
    return folder


def reward(folder: Path, weights: bytes = b"reward", **fields: Any) -> Path:
    return checkpoint(folder, weights, method="reward model", **fields)


def found(folder: Path) -> tuple[str, ...]:
    return trained_by(folder, weights_hash(folder))


def test_a_record_says_which_weights_trained_it_wherever_they_lie_now(tmp_path: Path) -> None:
    reward(tmp_path / "run" / "reward")
    plus = checkpoint(tmp_path / "run" / "plus", b"plus", reward_models=("one", "two"))
    assert found(plus) == ("one", "two")
    assert found(checkpoint(tmp_path / "run" / "ruled", b"ruled", reward_models=())) == ()


def test_a_record_without_weights_counts_the_reward_model_of_its_recipe_and_no_referee(tmp_path: Path) -> None:
    own = weights_hash(reward(tmp_path / "run" / "reward"))
    reward(tmp_path / "run" / "referee", b"referee")
    plus = checkpoint(tmp_path / "run" / "plus", b"plus", recipe={"rlhf": {"plus": {"steps": 4}}})
    step = checkpoint(plus / "checkpoint-2", b"step", name="plus")
    assert found(plus) == found(step) == (own,)


def test_paths_that_a_record_names_count_and_functions_and_parts_without_weight_do_not(tmp_path: Path) -> None:
    named, unweighed = (reward(tmp_path / name, name.encode()) for name in ("named", "unweighed"))
    rewards = {
        "a": {"source": str(named)},
        "b": {"source": str(unweighed), "weight": 0.0},
        "c": {"kind": "function", "source": "words:count"},
        "d": {"kind": "toxicity", "source": "words"},
    }
    plus = checkpoint(tmp_path / "run" / "plus", b"plus", recipe={"rlhf": {"plus": {"rewards": rewards}}})
    reward(tmp_path / "run" / "reward")
    assert found(plus) == (weights_hash(named),)


def test_a_model_whose_run_was_moved_is_known_by_the_output_that_its_recipe_names(tmp_path: Path) -> None:
    own = weights_hash(reward(tmp_path / "run" / "reward"))
    recipe = {"output": str(tmp_path / "run"), "rlhf": {"plus": {}}}
    assert found(checkpoint(tmp_path / "elsewhere" / "plus", b"plus", recipe=recipe)) == (own,)


@pytest.mark.parametrize("method", ["sft", "reward model"])
def test_what_was_trained_without_a_reward_has_none_though_one_lies_beside_it(tmp_path: Path, method: str) -> None:
    reward(tmp_path / "reward")
    assert found(checkpoint(tmp_path / "sft", b"sft", method=method)) == ()


def test_a_model_without_a_record_counts_what_lies_beside_it_unless_that_was_made_from_it(tmp_path: Path) -> None:
    base, other = checkpoint(tmp_path / "base", b"base"), checkpoint(tmp_path / "other", b"other")
    own = reward(tmp_path / "reward", base_fingerprint=weights_hash(base))
    assert found(other) == (weights_hash(own),)
    assert found(base) == ()
    assert found(own) == ()
    assert found(checkpoint(tmp_path / "far" / "other", b"other")) == ()
