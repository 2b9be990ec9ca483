"""Adapters: what training with `lora` leaves, and that anything can load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.demo import BASE
from mplus_eval.records.training import read_record
from mplus_eval.training.models import adapter_config, device_of, load_policy, weights_dtype
from mplus_eval.training.recipe import Lora
from mplus_eval.training.train import train
from tests.training.small import BATCH, PLUS, recipe, rlhf_recipe

TEXT = "User: Hello.\nAssistant: I see."


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of stage, trained as adapters."""
    output = tmp_path_factory.mktemp("adapters")
    train(
        recipe(
            output,
            lora={"rank": 4, "alpha": 8},
            reward={**BATCH, "save_every": 2},
            sft={"chosen": {**BATCH, "data": "chosen"}},
            rlhf={"plus": {**PLUS, "steps": 2}},
        )
    )
    return output


def logits(model: Any, directory: Path) -> torch.Tensor:
    from transformers import AutoTokenizer

    encoded = AutoTokenizer.from_pretrained(directory)(TEXT, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        return model.eval()(**encoded).logits  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["chosen", "plus"])
def test_a_trained_adapter_loads_as_a_whole_model_and_is_not_the_base(adapters: Path, name: str) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(adapters / name)
    base = AutoModelForCausalLM.from_pretrained(BASE)
    found, untrained = logits(loaded, adapters / name), logits(base, adapters / name)
    by_hand = logits(PeftModel.from_pretrained(base, adapters / name), adapters / name)

    assert not (adapters / name / "model.safetensors").exists()
    assert torch.allclose(found, by_hand, atol=1e-5)
    assert not torch.allclose(found, untrained, atol=1e-5)


def test_an_adapter_names_its_base_and_its_rank(adapters: Path) -> None:
    config = json.loads((adapters / "plus" / "adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]).resolve() == BASE.resolve()
    assert (config["r"], config["lora_alpha"], config["task_type"]) == (4, 8, "CAUSAL_LM")


def test_adapters_are_measured_like_whole_models(adapters: Path) -> None:
    record = read_record(adapters / "plus")
    assert record is not None
    assert record.dose is not None
    assert record.dose.kl_answers > 0
    assert record.recipe["lora"] == {"rank": 4, "alpha": 8}


def test_weights_are_of_the_recipes_precision_under_adapters_only(tmp_path: Path) -> None:
    def dtype(**changes: Any) -> torch.dtype:
        return weights_dtype(rlhf_recipe(tmp_path, changes))

    assert dtype(dtype="bfloat16", lora={}) is torch.bfloat16
    assert dtype(dtype="bfloat16") is torch.float32
    assert dtype(lora={}) is torch.float32
    assert load_policy(rlhf_recipe(tmp_path, {"dtype": "bfloat16", "lora": {}}), BASE).dtype is torch.bfloat16


def test_an_adapter_of_a_reward_model_trains_its_head_too() -> None:
    assert adapter_config(None, "CAUSAL_LM") is None
    assert adapter_config(Lora(), "SEQ_CLS").modules_to_save == ["score"]
    assert adapter_config(Lora(modules=("q_proj",)), "CAUSAL_LM").target_modules == {"q_proj"}
    assert adapter_config(Lora(), "CAUSAL_LM").modules_to_save is None


def test_a_recipe_for_the_processor_computes_there(tmp_path: Path) -> None:
    assert device_of(rlhf_recipe(tmp_path)) == torch.device("cpu")
