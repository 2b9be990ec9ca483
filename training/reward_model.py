"""The reward model: Bradley-Terry on preference pairs by TRL's RewardTrainer, its quality, and its scale.

    loss = -log sigmoid(r(chosen) - r(rejected)) + c * (r(chosen) + r(rejected))**2

The second term keeps rewards centred (Eisenstein et al., arXiv 2312.09244, section 3). After training, mean and
deviation of the rewards of held-out pairs are stored beside the model: a reward of 1 is one deviation above the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import transformers
from datasets import Dataset
from trl.trainer.reward_trainer import RewardTrainer

from mplus_eval.rewards.model import SCALE_FILE, RewardModel
from mplus_eval.store.sealed import write_sealed
from mplus_eval.training.data import PreferencePair
from mplus_eval.training.models import adapter_config, load_for_reward
from mplus_eval.training.recipe import Recipe, RewardStage
from mplus_eval.training.reward_quality import reward_quality
from mplus_eval.training.settings import reward_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.training_data import TrainingData

if TYPE_CHECKING:
    import torch
    from transformers import Trainer


def reward_trainer(recipe: Recipe, settings: RewardStage, data: TrainingData, stage: Stage) -> Trainer:
    """A trainer of the reward model, or of the held-out one, which sees other pairs."""
    pairs = data.referee_pairs if stage.name == "referee" else data.pairs
    rows = [
        {
            "prompt": [message.as_dict() for message in pair.prompt],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in pairs.rows
    ]
    transformers.set_seed(recipe.seed)
    return RewardTrainer(
        load_for_reward(recipe, data),
        reward_config(recipe, settings, stage.directory),
        train_dataset=Dataset.from_list(rows),
        processing_class=data.tokenizer,
        peft_config=adapter_config(recipe.lora, "SEQ_CLS"),
    )


def merge_adapter(directory: Path, recipe: Recipe, data: TrainingData) -> None:
    """Put a reward model that was trained as an adapter together with its base, so that anything can load it."""
    from peft import PeftModel

    if not (directory / "adapter_config.json").is_file():
        return
    whole = load_for_reward(recipe, data)
    PeftModel.from_pretrained(whole, directory).merge_and_unload().save_pretrained(directory)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (directory / name).unlink()


def measure_quality(
    directory: Path,
    pairs: Sequence[PreferencePair],
    settings: RewardStage,
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, float]:
    """Measure a reward model on held-out pairs and store its scale beside it.

    Returns:
        Accuracy, calibration, length correlation and the rest; empty when there are no held-out pairs.
    """
    if not pairs:
        return {}
    model = RewardModel.load(directory, device, dtype, scaled=False)
    prompts = [[message.as_dict() for message in pair.prompt] for pair in pairs]
    chosen = model.score(prompts, [pair.chosen for pair in pairs])
    rejected = model.score(prompts, [pair.rejected for pair in pairs])
    lengths = [[len(model.tokenizer(text)["input_ids"]) for text in (pair.chosen, pair.rejected)] for pair in pairs]
    quality = reward_quality(chosen, rejected, [long for long, _ in lengths], [long for _, long in lengths])
    if settings.scale:
        scale = {"mean": quality.mean, "deviation": quality.deviation}
        write_sealed(directory / SCALE_FILE, scale)
    return {key: value for key, value in quality.as_dict().items() if math.isfinite(value)}
