from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.demo import BASE, MODELS
from mplus_eval.errors import SpecError
from mplus_eval.training import demo_recipe as recipes
from mplus_eval.training.recipe import load_recipe
from mplus_eval.training.training_data import gather


def test_every_demo_model_that_a_spec_may_name_exists() -> None:
    recipe = recipes.demo_recipe()
    assert set(MODELS) == {"base", *recipe.sft, *recipe.rlhf}


def test_every_part_of_a_recipe_changes_its_hash() -> None:
    recipe = load_recipe("demo")
    hashes = {recipes.recipe_hash(recipe), recipes.recipe_hash(load_recipe("demo", ["seed=1"]))}
    assert len(hashes | {recipes.recipe_hash(load_recipe("demo", ["rlhf.plus.kl.coefficient=0.2"]))}) == 3


def test_the_base_and_the_libraries_are_part_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("demo")
    before = recipes.recipe_hash(recipe)
    monkeypatch.setattr(recipes, "version", lambda library: "0")
    assert recipes.recipe_hash(recipe) != before
    monkeypatch.undo()
    monkeypatch.setattr(recipes, "weights_hash", lambda directory: "other")
    assert recipes.recipe_hash(recipe) != before


def test_a_demo_model_lies_in_the_cache_and_the_base_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    directories = recipes.demo_directories(["base", "plus"])
    assert directories["base"] == BASE
    assert directories["plus"].is_relative_to(tmp_path / "mplus-eval" / "demo")
    assert [recipes.is_trained(directory) for directory in directories.values()] == [True, False]


def test_a_demo_model_that_is_not_trained_yet_is_no_base_of_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SpecError, match="base 'demo:plus': not trained yet; `mplus-eval compare` trains"):
        gather(load_recipe("demo", ["base=demo:plus"]))
