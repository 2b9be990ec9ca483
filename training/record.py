"""The record of a stage: what its checkpoint says of how it was made."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval import __version__
from mplus_eval.models.trained_by import hashes_of, trained_by
from mplus_eval.records.training import Method, TrainingRecord, read_record
from mplus_eval.training.recipe import Recipe, RewardStage, RlhfStage, SftStage
from mplus_eval.training.stages import LIBRARIES

if TYPE_CHECKING:
    from mplus_eval.training.stage import Stage
    from mplus_eval.training.training_data import TrainingData


def record_of(
    stage: Stage,
    recipe: Recipe,
    data: TrainingData,
    started: float,
    step: int,
    total_steps: int,
    warnings: tuple[str, ...] = (),
) -> TrainingRecord:
    """Describe a checkpoint of a stage that was just saved and is not measured yet.

    Args:
        stage: which.
        recipe: all of it.
        data: what the recipe's stages are made from.
        started: when the stage was begun, by the monotonic clock.
        step: the checkpoint's.
        total_steps: of the stage.
        warnings: of reward hacking.
    """
    settings = recipe.settings_of(stage.name)
    method: Method
    if isinstance(settings, RewardStage):
        method, algorithm, role = "reward model", "Bradley-Terry", "reward"
    elif isinstance(settings, SftStage):
        method, algorithm, role = "sft", "SFT", settings.role
    else:
        assert isinstance(settings, RlhfStage)
        method, algorithm, role = "rlhf", settings.algorithm.upper(), settings.role or "plus"
    described = data.of_stage(stage.name).described
    replayed = data.replayed.described if recipe.replay_of(settings) else ()
    return TrainingRecord(
        name=stage.name,
        method=method,
        algorithm=algorithm,
        role=role,
        base=recipe.base,
        base_fingerprint=data.base_hash,
        tokenizer_fingerprint=data.tokenizer_hash,
        data=(*described, *replayed),
        step=step,
        total_steps=total_steps,
        seed=recipe.seed,
        stage_hash=stage.hash,
        recipe=recipe.model_dump(mode="json", exclude_defaults=True),
        reward_models=_reward_models(recipe, settings, data),
        warnings=warnings,
        seconds=time.monotonic() - started,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        mplus_eval=__version__,
        versions={library: version(library) for library in LIBRARIES},
    )


def _reward_models(recipe: Recipe, settings: RewardStage | SftStage | RlhfStage, data: TrainingData) -> tuple[str, ...]:
    """Hashes of the reward models that weigh in a stage's reward, and of those that its base was trained by."""
    inherited = trained_by(data.base, data.base_hash) if read_record(data.base) else ()
    parts = settings.rewards.values() if isinstance(settings, RlhfStage) else ()
    directories = (
        recipe.output / "reward" if part.is_recipes_own else Path(part.source)
        for part in parts
        if part.kind == "model" and part.weight
    )
    return tuple(dict.fromkeys((*inherited, *hashes_of(directories))))
