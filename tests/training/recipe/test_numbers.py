"""Numbers as YAML has them."""

from __future__ import annotations

from pathlib import Path

from mplus_eval.training.recipe import load_recipe
from tests.training.recipe.recipes import SMALL, faults


def test_a_number_may_be_written_without_a_dot_and_a_truth_value_is_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: demo:base\npairs: [{source: 'demo:pairs'}]\nreward: {learning_rate: 1e-5}\n")
    reward = load_recipe(str(path)).reward
    assert reward is not None
    assert reward.learning_rate == 1e-5
    (fault,) = faults(tmp_path, {**SMALL, "seed": True})
    assert fault.endswith("seed True: a number is expected")


def test_scientific_numbers_are_numbers_also_under_trl() -> None:
    recipe = load_recipe("demo", ["rlhf.plus.trl.adam_epsilon=1e-5", "rlhf.plus.trl.optim=sgd"])
    assert recipe.rlhf["plus"].trl == {"adam_epsilon": 1e-5, "optim": "sgd"}
