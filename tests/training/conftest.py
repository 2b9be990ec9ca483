"""Trainings that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.training.train import train
from tests.training.small import recipe, rlhf_recipe


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of stage, by `recipe`; to be looked at only."""
    output = tmp_path_factory.mktemp("trained") / "run"
    train(recipe(output))
    return output


@pytest.fixture(scope="session")
def by_vowels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that `rlhf_recipe` trains when nothing goes wrong."""
    output = tmp_path_factory.mktemp("vowels")
    train(rlhf_recipe(output))
    return output / "plus"
