"""Recipes: what they accept, and what they say of everything else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import load_recipe, shipped_recipes

SMALL: dict[str, Any] = {
    "base": "demo:base",
    "pairs": [{"source": "demo:pairs"}],
    "reward": {"learning_rate": 1e-5},
    "rlhf": {"plus": {"learning_rate": 1e-6, "steps": 20}},
}


def written(tmp_path: Path, document: Any) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return str(path)


def faults(tmp_path: Path, document: Any, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        load_recipe(written(tmp_path, document), overrides)
    return caught.value.faults


def with_plus(**changes: Any) -> dict[str, Any]:
    return {**SMALL, "rlhf": {"plus": {**SMALL["rlhf"]["plus"], **changes}}}


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.output == Path(f"runs/train-{name}")
    assert "reward" in recipe.stages


def test_the_output_is_named_after_the_file_unless_given(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, SMALL)).output == Path("runs/train-mine")
    assert load_recipe(written(tmp_path, {**SMALL, "output": "elsewhere"})).output == Path("elsewhere")


def test_stages_are_the_reward_model_then_every_model_in_order(tmp_path: Path) -> None:
    sft = {"b": {"data": "chosen", "learning_rate": 1e-5}, "a": {"data": "chosen", "learning_rate": 1e-5}}
    assert load_recipe(written(tmp_path, {**SMALL, "sft": sft})).stages == ("reward", "b", "a", "plus")


def test_fields_are_replaced_by_overrides_read_as_yaml(tmp_path: Path) -> None:
    recipe = load_recipe(
        written(tmp_path, SMALL),
        ["rlhf.plus.kl.coefficient=0.2", "seed=3", "reward.learning_rate=1e-4", "pairs.0.n=7", "lora={rank: 8}"],
    )
    assert recipe.rlhf["plus"].kl.coefficient == 0.2
    assert recipe.rlhf["plus"].steps == 20
    assert (recipe.seed, recipe.pairs[0].n) == (3, 7)
    assert recipe.reward is not None
    assert recipe.reward.learning_rate == 1e-4
    assert recipe.lora is not None
    assert (recipe.lora.rank, recipe.lora.alpha) == (8, 32)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("steps", "write dotted.key=value"),
        ("rlhf..steps=1", "write dotted.key=value"),
        ("pairs.5.n=1", "there is no '5' in the recipe"),
        ("base.name=x", "has no keys"),
        ("seed=[", "the value is not YAML"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(override: str, said: str, tmp_path: Path) -> None:
    assert any(said in fault and repr(override) in fault for fault in faults(tmp_path, SMALL, override))


def test_a_number_may_be_written_without_a_dot_and_a_truth_value_is_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("base: demo:base\npairs: [{source: 'demo:pairs'}]\nreward: {learning_rate: 1e-5}\n")
    reward = load_recipe(str(path)).reward
    assert reward is not None
    assert reward.learning_rate == 1e-5
    (fault,) = faults(tmp_path, {**SMALL, "seed": True})
    assert fault.endswith("seed True: a number is expected")


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


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, {**SMALL, "seed": -1, "dtype": "int8"}, "nonsense")
    assert len(found) == 3


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(SpecError, match=r"recipe 'demmo': no such file, and no shipped recipe \(demo, "):
        load_recipe("demmo")


def test_a_limit_of_steps_above_that_of_the_comparison_is_refused() -> None:
    assert load_recipe("demo", ["compare.limit=30", "compare.trajectory_limit=30"]).compare.trajectory_limit == 30
    with pytest.raises(SpecError, match="compare: trajectory_limit 30 is above limit 20"):
        load_recipe("demo", ["compare.limit=20", "compare.trajectory_limit=30"])


def test_scientific_numbers_are_numbers_also_under_trl() -> None:
    recipe = load_recipe("demo", ["rlhf.plus.trl.adam_epsilon=1e-5", "rlhf.plus.trl.optim=sgd"])
    assert recipe.rlhf["plus"].trl == {"adam_epsilon": 1e-5, "optim": "sgd"}
