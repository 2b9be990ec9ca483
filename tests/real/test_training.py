"""Three steps of each trainer on Gemma 3 270M, on pairs of hh-rlhf: what a vocabulary of 262,144 asks of them.

All of it by adapters, in float32: 4.1 GB of memory at most, and 134 s of one core.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.records.training import TrainingRecord, read_record
from mplus_eval.store.hashes import weights_hash
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from tests.real.conftest import RealModel
from tests.real.models import GEMMA

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

STEPS = 3
STAGES = ("reward", "sft", "plus")
BATCH = {"learning_rate": 1e-4, "batch_size": 2, "steps": STEPS}


@pytest.fixture(scope="module")
def base(real_model: RealModel) -> Path:
    return real_model(GEMMA)


@pytest.fixture(scope="module")
def base_hash(base: Path) -> str:
    return weights_hash(base)


@pytest.fixture(scope="module")
def recipe(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    fields: dict[str, Any] = {
        "base": str(base),
        "output": tmp_path_factory.mktemp("gemma") / "run",
        "device": "cpu",
        "max_length": 128,
        "lora": {"rank": 4, "alpha": 8},
        "pairs": [{"source": "Anthropic/hh-rlhf", "subset": "harmless-base", "n": 60}],
        "reward": BATCH,
        "sft": {"sft": {**BATCH, "data": "chosen"}},
        "rlhf": {"plus": {**BATCH, "batch_size": 4, "answers": 2, "max_new_tokens": 16}},
        "check": {"n_prompts": 2},
    }
    return Recipe.model_validate(fields)


@pytest.fixture(scope="module")
def records(recipe: Recipe, base_hash: str, benchmark_data: Path) -> dict[str, TrainingRecord]:
    return {record.name: record for record in train(recipe, data_dir=benchmark_data)}


@pytest.mark.parametrize("stage", STAGES)
def test_every_step_has_a_loss_that_is_a_number(recipe: Recipe, records: dict[str, TrainingRecord], stage: str) -> None:
    lines = (recipe.output / stage / "steps.jsonl").read_text().splitlines()
    losses = [row["loss"] for row in map(json.loads, lines) if "loss" in row]
    assert len(losses) == STEPS
    assert all(map(math.isfinite, losses))
    assert records[stage].step == STEPS


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_trained_is_recorded(
    recipe: Recipe, records: dict[str, TrainingRecord], base_hash: str, stage: str
) -> None:
    assert (recipe.output / stage / "training.json").is_file()
    assert read_record(recipe.output / stage) == records[stage]


def test_the_weights_load_with_plain_transformers_and_differ_from_the_base(
    recipe: Recipe, records: dict[str, TrainingRecord]
) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    for stage in ("sft", "plus"):
        model = AutoModelForCausalLM.from_pretrained(recipe.output / stage)
        adapters = [weights for name, weights in model.named_parameters() if "lora_B" in name]
        assert adapters
        assert any(bool(weights.any()) for weights in adapters)
    reward = AutoModelForSequenceClassification.from_pretrained(recipe.output / "reward")
    assert reward.config.num_labels == 1


def test_rlhf_moved_the_model_and_was_measured(records: dict[str, TrainingRecord]) -> None:
    dose = records["plus"].dose
    assert dose is not None
    assert math.isfinite(dose.kl_answers)


def test_the_base_is_as_it_was(base: Path, base_hash: str, records: dict[str, TrainingRecord]) -> None:
    assert records
    assert weights_hash(base) == base_hash
