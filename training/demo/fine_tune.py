"""Supervised fine-tuning of the demo's models by TRL's SFTTrainer, on the CPU so that it is the same everywhere."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from mplus_eval.training.demo.models import SftRecipe
from mplus_eval.training.demo.talk import CHAT_TEMPLATE, Turn

Steps = Callable[[int, int], object]
_LONGEST = 128


def fine_tune(base: Path, recipe: SftRecipe, output: Path, on_step: Steps) -> None:
    """Train a copy of the base on the recipe's demonstrations and save it with its tokenizer and chat template.

    Args:
        base: the checkpoint to start from.
        recipe: data and hyper-parameters.
        output: directory for the checkpoint.
        on_step: called after every step with the steps done and the steps in all.
    """
    with _silence(), _one_thread(), tempfile.TemporaryDirectory() as scratch:
        transformers.set_seed(recipe.seed)
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.chat_template = CHAT_TEMPLATE
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        trainer = SFTTrainer(
            model,
            _settings(recipe, scratch),
            train_dataset=_dataset(recipe.demonstrations()),
            processing_class=tokenizer,
            callbacks=[_Steps(on_step)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        model.save_pretrained(output)
        tokenizer.save_pretrained(output)


def _settings(recipe: SftRecipe, scratch: str) -> SFTConfig:
    return SFTConfig(
        scratch,
        num_train_epochs=recipe.n_epochs,
        learning_rate=recipe.learning_rate,
        per_device_train_batch_size=recipe.batch_size,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.n_warmup_steps,
        weight_decay=0.0,
        seed=recipe.seed,
        max_length=_LONGEST,
        completion_only_loss=True,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _dataset(turns: list[Turn]) -> datasets.Dataset:
    return datasets.Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": turn.prompt}],
                "completion": [{"role": "assistant", "content": turn.reply}],
            }
            for turn in turns
        ]
    )


class _Steps(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Reports every step."""

    def __init__(self, on_step: Steps) -> None:
        self.on_step = on_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called by the trainer."""
        self.on_step(state.global_step, state.max_steps)


@contextmanager
def _silence() -> Iterator[None]:
    """No word of the libraries while the demo shows its own progress."""
    verbosity, had_bars = transformers_logging.get_verbosity(), datasets.are_progress_bars_disabled()
    had_model_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_model_bars:
            transformers_logging.enable_progress_bar()
        if not had_bars:
            datasets.enable_progress_bars()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: the order of sums, and so the result, would depend on the number of cores."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
