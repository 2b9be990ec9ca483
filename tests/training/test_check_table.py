"""What `train --check` shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mplus_eval.training.check import CheckedRecipe, check_recipe
from mplus_eval.training.check_table import render
from mplus_eval.training.recipe import Recipe, load_recipe

PLUS = {"learning_rate": 1e-5, "steps": 2, "batch_size": 4, "answers": 2, "max_new_tokens": 8}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Estimates are for the device that is here; on any machine these tests are for the one that is assumed.
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def small(**changes: Any) -> Recipe:
    document = {"base": "demo:base", "output": "y", "pairs": [{"source": "demo:pairs", "n": 100}], "device": "cpu"}
    return Recipe.model_validate(
        document | {"reward": {"learning_rate": 1e-5, "batch_size": 8}, "rlhf": {"plus": PLUS}} | changes
    )


def shown(result: CheckedRecipe) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render(result))
    return capture.get()


def test_a_stage_that_does_not_fit_is_said() -> None:
    result = check_recipe(
        load_recipe("mistral-7b-lora", ["rlhf.plus.gradient_checkpointing=false"]), look_at_data=False
    )
    assert "plus:" in shown(result)
    assert "may not fit" in " ".join(shown(result).split())


def test_what_measuring_holds_is_said_and_must_fit_too() -> None:
    result = check_recipe(small(), look_at_data=False)
    assert "measuring, GiB" in shown(result)
    stages = [replace(each, memory=replace(each.memory, measuring=9.0)) for each in result.estimates]
    speed = replace(result.speed, memory_gib=8.0)
    text = " ".join(shown(replace(result, estimates=tuple(stages), speed=speed)).split())
    assert "plus: 9.0 GiB may not fit into the 8 GiB of one CPU" in text
