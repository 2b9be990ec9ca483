"""Supervised fine-tuning by TRL's SFTTrainer, with the loss on the answers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import transformers
from datasets import Dataset
from trl.trainer.sft_trainer import SFTTrainer

from mplus_eval.training.data import Demonstration
from mplus_eval.training.models import adapter_config, load_policy
from mplus_eval.training.recipe import Recipe, SftStage
from mplus_eval.training.replay import with_replay
from mplus_eval.training.settings import sft_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.training_data import Material


def sft_trainer(recipe: Recipe, settings: SftStage, material: Material, stage: Stage) -> Any:
    """A trainer of the base on demonstrations, or on the chosen answers of the pairs."""
    transformers.set_seed(recipe.seed)
    return with_replay(SFTTrainer, recipe, material)(
        load_policy(recipe, material.base),
        sft_config(recipe, settings, stage.directory),
        train_dataset=_dataset(material.demonstrations[stage.name].rows),
        processing_class=material.tokenizer,
        peft_config=adapter_config(recipe.lora, "CAUSAL_LM"),
    )


def _dataset(demonstrations: Sequence[Demonstration]) -> Dataset:
    return Dataset.from_list(
        [
            {
                "prompt": [message.as_dict() for message in one.prompt],
                "completion": [{"role": "assistant", "content": one.answer}],
            }
            for one in demonstrations
        ]
    )
