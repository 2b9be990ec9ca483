"""The stages of a recipe: which are trained, what their weights depend on, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.stages import rewards_of, stages_of, with_needed
from mplus_eval.training.train import train
from mplus_eval.training.training_data import gather
from tests.conftest import TinyModel
from tests.training.small import BATCH, PLUS, recipe, rlhf_recipe


def test_what_a_stage_needs_is_trained_before_it(tmp_path: Path) -> None:
    assert with_needed(recipe(tmp_path), ["plus"]) == ["reward", "referee", "plus"]
    assert with_needed(recipe(tmp_path), ["chosen"]) == ["chosen"]
    assert with_needed(recipe(tmp_path), ["plus", "chosen", "reward"]) == ["reward", "referee", "chosen", "plus"]
    assert with_needed(recipe(tmp_path, reward=BATCH), ["plus"]) == ["reward", "plus"]
    assert with_needed(rlhf_recipe(tmp_path), ["plus"]) == ["plus"]


def hashes(recipe: Recipe) -> dict[str, str]:
    return {name: stage.hash for name, stage in stages_of(recipe, gather(recipe)).items()}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"check": {"n_prompts": 3}, "threads": 2, "trackers": ["tensorboard"]}, set()),
        ({"rlhf": {"plus": {**PLUS, "save_every": 4, "keep": 1, "role": "mine", "evaluate_every": 4}}}, set()),
        ({"rlhf": {"plus": {**PLUS, "max_new_tokens": 9}}}, {"plus"}),
        ({"sft": {"chosen": {**BATCH, "data": "chosen", "warmup_steps": 1}}}, {"chosen"}),
        # What is rewarded by a reward model is another model where that one is.
        ({"reward": {**BATCH, "referee": True, "epochs": 2}}, {"reward", "referee", "plus"}),
        ({"replay": {"texts": "demo:texts", "n": 4}}, {"chosen", "plus"}),
        (
            {
                "replay": {"texts": "demo:texts", "n": 4},
                "sft": {"chosen": {**BATCH, "data": "chosen", "replay": False}},
            },
            {"plus"},
        ),
        ({"rlhf": {"plus": {**PLUS, "replay": False}}}, set()),
        ({"seed": 1}, {"reward", "referee", "chosen", "plus"}),
    ],
)
def test_a_stage_depends_on_what_changes_its_weights_and_on_nothing_else(
    changes: dict[str, Any], changed: set[str], tmp_path: Path
) -> None:
    plain = {"rlhf": {"plus": PLUS}}
    before, after = hashes(recipe(tmp_path, **plain)), hashes(recipe(tmp_path, **{**plain, **changes}))
    assert {name for name in before if before[name] != after[name]} == changed


def test_models_are_looked_at_with_the_reward_models_that_are_trained(trained: Path, tmp_path: Path) -> None:
    def rewards(output: Path, stage: str) -> list[str]:
        asked = recipe(output)
        data = gather(asked)
        return list(rewards_of(stage, asked, data, stages_of(asked, data), torch.device("cpu")))

    assert rewards(trained, "plus") == rewards(trained, "chosen") == ["reward", "referee"]
    assert rewards(tmp_path, "chosen") == []


def test_a_directory_of_another_run_is_refused_and_left_alone(trained: Path) -> None:
    before = (trained / "plus" / "model.safetensors").read_bytes()
    with pytest.raises(SpecError, match="holds another run, with different data, reward model, seed"):
        train(recipe(trained, seed=7), ["plus"])
    assert (trained / "plus" / "model.safetensors").read_bytes() == before


def test_directories_of_something_else_are_refused_all_at_once(tmp_path: Path) -> None:
    for name in ("reward", "chosen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").write_text("mine")
    with pytest.raises(SpecError) as caught:
        train(recipe(tmp_path))
    refused = [str(tmp_path / "reward"), str(tmp_path / "chosen")]
    assert [fault.split(" holds something else")[0] for fault in caught.value.faults] == refused


def test_settings_that_trl_refuses_are_said_before_any_work(tmp_path: Path) -> None:
    plus = recipe(tmp_path).rlhf["plus"].model_dump() | {"algorithm": "grpo", "clip_reward": 1.0}
    wrong = recipe(tmp_path / "run", reward={"learning_rate": 1e-4, "trl": {"max_lenght": 8}}, rlhf={"plus": plus})
    with pytest.raises(SpecError) as caught:
        train(wrong)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["reward", "plus"]
    assert not (tmp_path / "run").exists()


def test_a_reward_model_of_another_tokenizer_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    other = tmp_path / "other"
    AutoModelForSequenceClassification.from_pretrained(tiny_model(), num_labels=1).save_pretrained(other)
    AutoTokenizer.from_pretrained(tiny_model()).save_pretrained(other)
    changed = recipe(tmp_path / "run").rlhf["plus"].model_dump() | {"rewards": {"other": {"source": str(other)}}}
    with pytest.raises(SpecError, match=rf"reward model {other}: .* vocabulary is not that of the base .*base"):
        train(recipe(tmp_path / "run", rlhf={"plus": changed}), ["plus"])
    assert not (tmp_path / "run").exists()


def test_without_an_evaluation_a_recipe_that_asks_for_one_in_this_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"rlhf\.plus: evaluate_in: rank 0 needs an evaluation, and none was handed in"):
        train(rlhf_recipe(tmp_path / "run", evaluate_every=2, evaluate_in="rank 0"))
    assert not (tmp_path / "run").exists()
