"""The recipe's fields as TRL's configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.reward_config import RewardConfig
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.sft_config import SFTConfig

from mplus_eval.errors import SpecError
from mplus_eval.spec.faults import nearest
from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage, SftStage

T = TypeVar("T")


def stage_config(
    recipe: Recipe, stage: Optimisation, directory: Path
) -> RewardConfig | SFTConfig | RLOOConfig | GRPOConfig:
    """How TRL trains a stage of any kind.

    Raises:
        SpecError: with what TRL, or the algorithm, does not accept.
    """
    if isinstance(stage, RewardStage):
        return reward_config(recipe, stage, directory)
    if isinstance(stage, SftStage):
        return sft_config(recipe, stage, directory)
    assert isinstance(stage, RlhfStage)
    return rlhf_config(recipe, stage, directory)


def reward_config(recipe: Recipe, stage: RewardStage, directory: Path) -> RewardConfig:
    """How TRL trains the reward model."""
    own = {"max_length": recipe.max_length, "center_rewards_coefficient": stage.centre or None}
    return _made(RewardConfig, recipe, stage, directory, own)


def sft_config(recipe: Recipe, stage: SftStage, directory: Path) -> SFTConfig:
    """How TRL fine-tunes, with the loss on answers only."""
    return _made(SFTConfig, recipe, stage, directory, {"max_length": recipe.max_length, "completion_only_loss": True})


def rlhf_config(recipe: Recipe, stage: RlhfStage, directory: Path) -> RLOOConfig | GRPOConfig:
    """How TRL trains by reward."""
    own: dict[str, object] = {
        "num_generations": stage.answers,
        "max_completion_length": stage.max_new_tokens,
        "temperature": stage.temperature,
        "beta": stage.kl.coefficient,
        "num_iterations": stage.iterations,
        "steps_per_generation": stage.steps_per_generation,
        "mask_truncated_completions": stage.termination.mask,
    }
    if stage.kl.target and not stage.kl.coefficient:
        raise SpecError(["kl.target needs a coefficient above 0 to begin with"])
    if stage.algorithm == "rloo":
        own["normalize_advantages"] = stage.normalise_advantages
        own["reward_clip_range"] = (-stage.clip_reward, stage.clip_reward) if stage.clip_reward else None
        return _made(RLOOConfig, recipe, stage, directory, own)
    if stage.clip_reward or stage.termination.stop_strings or stage.sampler == "tree":
        raise SpecError(["algorithm grpo: clip_reward, sampler: tree and termination.stop_strings are for rloo only"])
    own["scale_rewards"] = "group" if stage.normalise_advantages else "none"
    return _made(GRPOConfig, recipe, stage, directory, own)


def _made(kind: type[T], recipe: Recipe, stage: Optimisation, directory: Path, own: Mapping[str, object]) -> T:
    """A configuration of TRL: what all stages have in common, what is the kind's own, and the recipe's `trl`."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := [name for name in stage.trl if name not in names]:
        raise SpecError([f"trl: {kind.__name__} has no {name!r}; {nearest(name, sorted(names))}" for name in unknown])
    on_cpu = recipe.device == "cpu"
    common = {
        "output_dir": str(directory),
        "num_train_epochs": stage.epochs,
        "max_steps": stage.steps or -1,
        "learning_rate": stage.learning_rate,
        "per_device_train_batch_size": stage.batch_size,
        "gradient_accumulation_steps": stage.accumulate,
        "warmup_steps": stage.warmup_steps,
        "lr_scheduler_type": stage.schedule,
        "weight_decay": stage.weight_decay,
        "max_grad_norm": stage.max_grad_norm,
        "gradient_checkpointing": stage.gradient_checkpointing,
        "save_strategy": "steps" if stage.save_every else "no",
        "save_steps": stage.save_every or 500,
        "save_total_limit": stage.keep,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": list(recipe.trackers),
        "disable_tqdm": True,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "bf16": recipe.dtype == "bfloat16",
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
    }
    try:
        return kind(**{**common, **own, **stage.trl})
    except ValueError as error:
        # A combination that TRL or transformers refuses, such as bf16 on a machine without it.
        raise SpecError([f"{kind.__name__}: {' '.join(str(error).split())}"]) from None
