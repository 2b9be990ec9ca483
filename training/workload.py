"""What a stage puts through a model. Tokens are upper bounds: every row as long as is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Workload:
    """Of one batch on one device.

    Attributes:
        longest_row: tokens; of rlhf the longest prompt and its answer.
        replayed_tokens: of the texts beside the batch.
        tokens: of the rows with both sides of a pair, and of the texts.
        n_reward_models: that score each answer.
        number_bytes: of what is computed with.
    """

    longest_row: int
    replayed_tokens: int
    tokens: int
    n_reward_models: int
    number_bytes: int


def workload_of(recipe: Recipe, settings: Optimisation) -> Workload:
    """The workload of a stage."""
    sides, longest_row, n_reward_models = 1, recipe.max_length, 0
    replay = recipe.replay_of(settings)
    replayed_tokens = replay.batch_size * recipe.max_length if replay else 0
    if isinstance(settings, RewardStage):
        sides = 2
    elif isinstance(settings, RlhfStage):
        longest_row = recipe.longest_prompt + settings.max_new_tokens
        n_reward_models = sum(part.kind == "model" for part in settings.rewards.values())
    return Workload(
        longest_row=longest_row,
        replayed_tokens=replayed_tokens,
        tokens=sides * settings.batch_size * longest_row + replayed_tokens,
        n_reward_models=n_reward_models,
        number_bytes=2 if recipe.dtype == "bfloat16" else FLOAT32_BYTES,
    )
