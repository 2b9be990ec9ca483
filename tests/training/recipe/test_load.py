"""Recipes: what they accept, and what they say of everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import Recipe, load_recipe, shipped_recipes
from tests.training.recipe.recipes import SMALL, faults, written


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.output == Path(f"runs/train-{name}")
    assert "reward" in recipe.stages


def test_the_output_is_named_after_the_file_unless_given(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, SMALL)).output == Path("runs/train-mine")
    assert load_recipe(written(tmp_path, {**SMALL, "output": "elsewhere"})).output == Path("elsewhere")


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


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, {**SMALL, "seed": -1, "dtype": "int8"}, "nonsense")
    assert len(found) == 3


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(SpecError, match=r"recipe 'demmo': no such file, and no shipped recipe \(demo, "):
        load_recipe("demmo")


MISTRAL = ("mistral-7b-lora", "mistral-7b-full", "mistral-7b-multinode")


def test_the_recipes_that_were_promised_are_shipped() -> None:
    assert {"demo", "gpu-smoke", *MISTRAL} <= set(shipped_recipes())


def test_both_machines_take_the_batch_of_one() -> None:
    one, two = load_recipe("mistral-7b-full"), load_recipe("mistral-7b-multinode")

    def at_once(recipe: Recipe) -> list[int]:
        stages = [recipe.reward, *recipe.sft.values(), *recipe.rlhf.values()]
        n_processes = recipe.launch.processes * recipe.launch.machines
        return [stage.batch_size * stage.accumulate * n_processes for stage in stages if stage]

    assert at_once(one) == at_once(two)
