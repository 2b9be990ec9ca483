"""Outputs of transformers' Trainer, written by it: a few steps of a tiny model, or of an adapter on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def make_trainer(
    folder: Path,
    base: Path,
    *,
    adapter: bool = False,
    tokenizer: bool = False,
    callbacks: Sequence[Any] = (),
    **arguments: Any,
) -> Any:
    """A trainer of a model for four steps, of which two are saved.

    Args:
        folder: where to.
        base: a tiny model's directory.
        adapter: whether an adapter is trained in place of the whole.
        tokenizer: whether the trainer has one, and saves it with every step.
        callbacks: of the trainer.
        **arguments: of `TrainingArguments`, besides what makes it small and quiet.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if adapter:
        model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    small = {
        "max_steps": 4,
        "save_steps": 2,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-3,
        "logging_steps": 1,
    }
    quiet = {"report_to": [], "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False}
    return Trainer(
        model,
        TrainingArguments(output_dir=str(folder), **{**small, **quiet, **arguments}),
        train_dataset=[{"input_ids": [5, 6, 7, 8], "labels": [5, 6, 7, 8]} for _ in range(8)],
        processing_class=AutoTokenizer.from_pretrained(base) if tokenizer else None,
        callbacks=list(callbacks),
    )


def write_trainer_output(folder: Path, base: Path, *, final: bool = True, **options: Any) -> Path:
    """Train, and save the final model at the top, as scripts do; return the folder."""
    trainer = make_trainer(folder, base, **options)
    trainer.train()
    if final:
        trainer.save_model()
    return folder
