"""Loading what is trained: the base as a language model or as a reward model, and adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from mplus_eval.training.recipe import Lora, Recipe


def load_policy(recipe: Recipe, base: Path) -> Any:
    """The base as a language model to train."""
    return AutoModelForCausalLM.from_pretrained(base, dtype=weights_dtype(recipe))


def load_for_reward(recipe: Recipe, base: Path, pad_token_id: int) -> Any:
    """The base with a new head of one number, drawn from torch's random state."""
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=weights_dtype(recipe))
    model.config.pad_token_id = pad_token_id
    return model


def load_trained(checkpoint: Path, recipe: Recipe, device: torch.device) -> Any:
    """A trained model or adapter, to be measured."""
    dtype = torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    return model.to(device).eval()


def weights_dtype(recipe: Recipe) -> torch.dtype:
    """The recipe's precision under adapters; float32 for full training, which computes under autocast."""
    return torch.bfloat16 if recipe.dtype == "bfloat16" and recipe.lora else torch.float32


def adapter_config(lora: Lora | None, task: str) -> Any:
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
    from mplus_eval.training.launch import local_rank

    return torch.device("cuda", local_rank())
