"""Recipes of a few steps on the demo's base, and what the tests of training ask of the weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mplus_eval.training.recipe import Recipe

BATCH = {"learning_rate": 5e-4, "batch_size": 8, "steps": 2}
PLUS = {"learning_rate": 3e-4, "steps": 4, "batch_size": 8, "answers": 4, "max_new_tokens": 8, "save_every": 2}


def recipe(output: Path, **changes: Any) -> Recipe:
    """A recipe of a few steps, with every kind of stage."""
    kl = {"coefficient": 0.1, "target": 1.0, "horizon": 50}
    fields: dict[str, Any] = {
        "base": "demo:base",
        "output": output,
        "device": "cpu",
        "threads": 1,
        "max_length": 128,
        "held_out": 0.25,
        "pairs": [{"source": "demo:pairs", "n": 64}],
        "exclude_prompts": [{"source": "demo:provoking", "n": 20, "seed": 1000}],
        "reward": {**BATCH, "referee": True},
        "sft": {"chosen": {**BATCH, "data": "chosen"}},
        "rlhf": {"plus": {**PLUS, "termination": {"penalty": 1.0}, "kl": kl}},
        "check": {"n_prompts": 4},
    }
    return Recipe.model_validate({**fields, **changes})


def rlhf_recipe(output: Path, changes: dict[str, Any] | None = None, **plus: Any) -> Recipe:
    """RLHF alone, by a function in place of a reward model: nothing else has to be trained first.

    Args:
        output: where to.
        changes: of the recipe.
        plus: changes of its one stage.
    """
    rewards = {"vowels": {"kind": "function", "source": "tests.training.small:share_of_vowels"}}
    stage = {**PLUS, "rewards": rewards, **plus}
    return recipe(output, **{"reward": None, "sft": {}, "rlhf": {"plus": stage}, **(changes or {})})


def share_of_vowels(prompt: str, answer: str, ended: bool) -> float:
    """A reward that differs between answers and costs nothing."""
    return sum(letter in "aeiou" for letter in answer) / max(len(answer), 1)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """Of a whole model, or of an adapter."""
    adapter = directory / "adapter_model.safetensors"
    return dict(load_file(adapter if adapter.is_file() else directory / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold equal numbers."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def copy_of_killed(trained: Path, output: Path, *, without: Sequence[str] = ("checkpoint-4",)) -> Path:
    """A training directory as a kill before the last saved step leaves it."""
    shutil.copytree(trained, output, ignore=shutil.ignore_patterns(*without))
    for name in ("model.safetensors", "adapter_model.safetensors", "training.json"):
        (output / name).unlink(missing_ok=True)
    return output
