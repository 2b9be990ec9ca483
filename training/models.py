"""Loading what is trained: the base as a language model or as a reward model, and adapters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from mplus_eval.training.recipe import Lora, Recipe

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

    from mplus_eval.training.training_data import TrainingData


def load_policy(recipe: Recipe, base: Path) -> PreTrainedModel:
    """The base as a language model to train."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(base, dtype=weights_dtype(recipe))
    return model


def load_for_reward(recipe: Recipe, data: TrainingData) -> PreTrainedModel:
    """The base with a new head of one number, drawn from torch's random state or zero."""
    dtype = weights_dtype(recipe)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(data.base, num_labels=1, dtype=dtype)
    model.config.pad_token_id = data.tokenizer.pad_token_id
    if recipe.reward is not None and recipe.reward.head == "zero":
        torch.nn.init.zeros_(model.get_parameter("score.weight"))
    return model


def load_trained(checkpoint: Path, recipe: Recipe, device: torch.device) -> PreTrainedModel:
    """A trained model or adapter, to be measured."""
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=computing_dtype(recipe))
    return cast("PreTrainedModel", model.to(device).eval())


def computing_dtype(recipe: Recipe) -> torch.dtype:
    """The recipe's precision, in which trained models are measured and reward models judge."""
    return torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32


def weights_dtype(recipe: Recipe) -> torch.dtype:
    """The recipe's precision under adapters; float32 for full training, which computes under autocast."""
    return computing_dtype(recipe) if recipe.lora else torch.float32


def adapter_config(lora: Lora | None, task: Literal["CAUSAL_LM", "SEQ_CLS"]) -> LoraConfig | None:
    """What peft needs to know, or None for full fine-tuning.

    Args:
        lora: the recipe's.
        task: `CAUSAL_LM` or `SEQ_CLS`; the latter trains its new head in full.
    """
    if lora is None:
        return None
    from peft import LoraConfig

    modules = lora.modules if isinstance(lora.modules, str) else list(lora.modules)
    return LoraConfig(
        task_type=task,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=modules,
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
    )


def device_of(recipe: Recipe) -> torch.device:
    """Where this process computes."""
    if recipe.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    # The number of this process on its machine.
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
