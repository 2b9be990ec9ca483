"""What a stage puts through a model: rows as long as is allowed, or as long as they are where that is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage

FLOAT32_BYTES = 4
MEASURED_AT_ONCE = 32
"""Prompts, answers or texts put to a model at once when a checkpoint is measured."""


class RowLength(NamedTuple):
    """Tokens of a row's prompt, and of the prompt with the longest of its answers; of rlhf's rows there is none."""

    prompt: int
    whole: int


@dataclass(frozen=True)
class Workload:
    """Of one batch on one device.

    Attributes:
        longest_row: tokens; of rlhf the longest prompt and its answer.
        replayed_tokens: of the texts beside the batch.
        tokens: of the rows with both sides of a pair, and of the texts, every row as long as is allowed.
        expected_tokens: the same as long as rows are, padded to the longest of their batch.
        expected_places: whose logits are made: of the answers, and of the texts.
        prompt_tokens: that sampling the batch's answers reads; 0 where none are sampled.
        n_reward_models: that score each answer.
        number_bytes: of what is computed with.
    """

    longest_row: int
    replayed_tokens: int
    tokens: int
    expected_tokens: float
    expected_places: float
    prompt_tokens: float
    n_reward_models: int
    number_bytes: int


def workload_of(recipe: Recipe, settings: Optimisation, lengths: Sequence[RowLength] = ()) -> Workload:
    """The workload of a stage.

    Args:
        recipe: all of it.
        settings: the stage's part.
        lengths: of its rows; without any, all are as long as is allowed.
    """
    size, sides, longest_row, n_reward_models, prompt_tokens = settings.batch_size, 1, recipe.max_length, 0, 0.0
    replay = recipe.replay_of(settings)
    replayed_tokens = replay.batch_size * recipe.max_length if replay else 0
    row = padded([length.whole for length in lengths], size) if lengths else float(recipe.max_length)
    answer = fmean(length.whole - length.prompt for length in lengths) if lengths else row
    if isinstance(settings, RewardStage):
        sides, answer = 2, 0.0
    elif isinstance(settings, RlhfStage):
        longest_row = recipe.longest_prompt + settings.max_new_tokens
        n_reward_models = sum(part.kind == "model" for part in settings.rewards.values())
        n_prompts = settings.batches_at_once * size // settings.answers
        prompt = padded([length.prompt for length in lengths], n_prompts) if lengths else float(recipe.longest_prompt)
        answer = float(settings.max_new_tokens)
        row = prompt + answer
        # A prompt is read for each of its answers, unless they share it.
        prompt_tokens = prompt * size / (settings.answers if settings.sampler == "tree" else 1)
    return Workload(
        longest_row=longest_row,
        replayed_tokens=replayed_tokens,
        tokens=sides * size * longest_row + replayed_tokens,
        expected_tokens=sides * size * row + replayed_tokens,
        expected_places=size * answer + replayed_tokens,
        prompt_tokens=prompt_tokens,
        n_reward_models=n_reward_models,
        number_bytes=2 if recipe.dtype == "bfloat16" else FLOAT32_BYTES,
    )


def n_judges(recipe: Recipe, settings: Optimisation) -> int:
    """Reward models that read the answers of a language model's checkpoint: those it was trained by, and the referee.

    A supervised one is looked at with the recipe's own reward model.
    """
    parts = settings.rewards.values() if isinstance(settings, RlhfStage) else ()
    own = 1 if recipe.reward else 0
    referee = 1 if recipe.reward and recipe.reward.referee else 0
    return (sum(part.kind == "model" for part in parts) if parts else own) + referee


def padded(lengths: Sequence[int], size: int) -> float:
    """Tokens of a row when rows are shuffled into batches and padded to the longest of their batch, in the mean.

    >>> padded([3, 3, 3], 2)
    3.0
    """
    shuffled = random.Random(0).sample(list(lengths), len(lengths))
    return fmean(max(shuffled[first : first + size]) for first in range(0, len(shuffled), size))
