from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.spec import CompareSpec
from mplus_eval.training.evaluation import compare_trained
from mplus_eval.training.recipe import Recipe
from tests.test_trajectory import write_training

STAGE = {"learning_rate": 1e-5, "steps": 30}


def test_only_models_with_saved_steps_besides_the_final_one_have_a_trajectory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[CompareSpec, Any]] = []
    monkeypatch.setattr("mplus_eval.run.run", lambda spec, _progress, *, faults, command: asked.append((spec, faults)))
    recipe = Recipe.model_validate(
        {"base": "demo:base", "output": tmp_path, "rlhf": {"plus": STAGE, "short": STAGE}}
        | {"prompts": [{"source": "demo:provoking"}], "compare": {"suite": "mini", "limit": 9}}
        | {"reward": STAGE, "pairs": [{"source": "demo:pairs"}]}
    )
    write_training(tmp_path / "plus", 10, 30, final=30)
    write_training(tmp_path / "short", 30, final=30, name="short")

    compare_trained(recipe)

    ((spec, faults),) = asked
    assert faults == []
    assert [model.name for model in spec.models] == ["base", "plus", "short", "plus-step-10"]
