"""A recipe as a whole: its stages, and what does not go together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.spec.limit import Limit
from mplus_eval.training.recipe import load_recipe
from tests.training.recipe.recipes import SMALL, faults, with_plus, written


def test_stages_are_the_reward_model_then_every_model_in_order(tmp_path: Path) -> None:
    sft = {"b": {"data": "chosen", "learning_rate": 1e-5}, "a": {"data": "chosen", "learning_rate": 1e-5}}
    assert load_recipe(written(tmp_path, {**SMALL, "sft": sft})).stages == ("reward", "b", "a", "plus")


def test_all_models_are_measured_with_what_ends_the_answers_of_any(tmp_path: Path) -> None:
    document = {
        **SMALL,
        "rlhf": {"a": stopping("\nUser:"), "b": stopping("\nUser:", "###"), "c": SMALL["rlhf"]["plus"]},
    }
    assert load_recipe(written(tmp_path, document)).stop_strings == ("\nUser:", "###")


def stopping(*strings: str) -> dict[str, Any]:
    return {**SMALL["rlhf"]["plus"], "termination": {"stop_strings": list(strings)}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**SMALL, "reward": {"learning_rate": 1e-5, "epoch": 1}}, "unknown key 'reward.epoch'; .*epochs"),
        ({**SMALL, "reward": {"learning_rate": 0}}, "reward.learning_rate 0: input should be greater than 0"),
        ({**SMALL, "reward": {}}, "reward.learning_rate is missing"),
        ({key: value for key, value in SMALL.items() if key != "reward"}, "the recipe trains none"),
        ({key: value for key, value in SMALL.items() if key != "pairs"}, "reward needs pairs; rlhf.plus needs prompts"),
        ({"base": "demo:base"}, "nothing to train: give reward, sft or rlhf"),
        ({**SMALL, "rlhf": {"base": SMALL["rlhf"]["plus"]}}, "model name 'base' is taken"),
        ({**SMALL, "rlhf": {"a/b": SMALL["rlhf"]["plus"]}}, "model name 'a/b' cannot be a path"),
        ({**SMALL, "sft": {"plus": {"data": "chosen", "learning_rate": 1e-5}}}, "stands in sft and in rlhf"),
        ({**SMALL, "rlhf": {"plus": {"learning_rate": 1e-6}}}, "steps is needed"),
        (with_plus(batch_size=10), "batch_size 10 is not a multiple of answers 4"),
        (with_plus(answers=1), "rlhf.plus.answers 1: input should be greater than or equal to 2"),
        (with_plus(iterations=2, save_every=3), "save_every 3 is not a multiple of 2, the steps between"),
        (with_plus(save_every=4, evaluate_every=6), "evaluate_every 6 is not a multiple of save_every 4"),
        (with_plus(evaluate_every=6), "evaluate_every 6 is not a multiple of save_every None"),
        (with_plus(termination={"mask": True, "stop_strings": ["x"]}), "mask knows end tokens only"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(document: Any, said: str, tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, document)
    assert re.search(said, fault), fault


def test_a_limit_of_steps_above_that_of_the_comparison_is_refused() -> None:
    accepted = load_recipe("demo", ["compare.limit=30", "compare.trajectory_limit=30"]).compare
    assert accepted.trajectory_limit == Limit(30)
    with pytest.raises(SpecError, match="compare: trajectory_limit 30 is above limit 20"):
        load_recipe("demo", ["compare.limit=20", "compare.trajectory_limit=30"])
    with pytest.raises(SpecError, match="compare: trajectory_limit first:5 takes other items than limit 20"):
        load_recipe("demo", ["compare.limit=20", "compare.trajectory_limit=first:5"])


def test_a_group_trains_one_stage_after_the_other(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {**SMALL, "stages_at_once": 2, "launch": {"processes": 2}})
    assert "stages_at_once 2: with launch, stages train one after the other" in fault
