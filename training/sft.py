"""Supervised fine-tuning by TRL's SFTTrainer, with the loss on the answers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import transformers
from datasets import Dataset
from trl.trainer.sft_trainer import SFTTrainer

from mplus_eval.training.models import adapter_config, load_policy
from mplus_eval.training.recipe import Recipe, SftStage
from mplus_eval.training.replay import with_replay
from mplus_eval.training.settings import sft_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.training_data import TrainingData

if TYPE_CHECKING:
    from transformers import Trainer


def sft_trainer(recipe: Recipe, settings: SftStage, data: TrainingData, stage: Stage) -> Trainer:
    """A trainer of the base on demonstrations, or on the chosen answers of the pairs."""
    rows = [
        {
            "prompt": [message.as_dict() for message in demonstration.prompt],
            "completion": [{"role": "assistant", "content": demonstration.answer}],
        }
        for demonstration in data.demonstrations[stage.name].rows
    ]
    transformers.set_seed(recipe.seed)
    return with_replay(SFTTrainer, recipe, settings, data)(
        load_policy(recipe, data.base),
        sft_config(recipe, settings, stage.directory),
        train_dataset=Dataset.from_list(rows),
        processing_class=data.tokenizer,
        peft_config=adapter_config(recipe.lora, "CAUSAL_LM"),
    )
