"""What a training will take: parameters, steps, tokens, memory of a device and time, before any weight is loaded.

Parameters are counted on the `meta` device, which allocates nothing. The rest is arithmetic; of time

    6 N operations for a trained token (4 N with adapters: frozen weights need no gradients; 2 N more where activations
    are made again), 2 N for one that is generated or scored

Tokens are upper bounds (every row as long as is allowed), and so are memory and time of training. Time leaves out
loading, measuring and what the processes say to each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mplus_eval.training.memory import DeviceMemory, ParameterCount, memory_of, shape_of
from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage
from mplus_eval.training.speed import DeviceSpeed
from mplus_eval.training.workload import Workload, workload_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class StageEstimate:
    """One stage. Steps, tokens and seconds are None where the number of rows is not known and decides them."""

    name: str
    parameters: int
    trainable: int
    steps: int | None
    tokens_per_step: int
    seconds_per_step: float
    memory: DeviceMemory

    @property
    def tokens(self) -> int | None:
        """Trained on, by all devices together."""
        return None if self.steps is None else self.steps * self.tokens_per_step

    @property
    def seconds(self) -> float | None:
        """Of the whole stage."""
        return None if self.steps is None else self.steps * self.seconds_per_step


def estimate(
    recipe: Recipe, config: PreTrainedConfig, rows: Mapping[str, int | None], speed: DeviceSpeed
) -> tuple[StageEstimate, ...]:
    """Estimate every stage of a recipe, the held-out reward model's included.

    Args:
        recipe: all of it.
        config: the base's, as transformers reads it.
        rows: rows that each stage trains on, by its name; None where that is not known. Not needed for rlhf.
        speed: of one device.
    """
    language, reward = _count(recipe, config, "CAUSAL_LM"), _count(recipe, config, "SEQ_CLS")
    names = list(recipe.stages)
    if recipe.reward and recipe.reward.referee:
        names.insert(1, "referee")
    shape = shape_of(config)
    estimates = []
    for name in names:
        settings = recipe.settings_of(name)
        parameters = reward if isinstance(settings, RewardStage) else language
        workload = workload_of(recipe, settings)
        steps = settings.steps
        if steps is None and (n_rows := rows.get(name)) is not None:
            batches = math.ceil(n_rows / (settings.batch_size * recipe.n_processes))
            steps = math.ceil(settings.epochs * math.ceil(batches / settings.accumulate))
        estimates.append(
            StageEstimate(
                name=name,
                parameters=parameters.model,
                trainable=parameters.trained,
                steps=steps,
                tokens_per_step=workload.tokens * settings.accumulate * recipe.n_processes,
                seconds_per_step=_seconds_per_step(recipe, settings, workload, parameters.model, speed),
                memory=memory_of(recipe, settings, workload, shape, parameters, speed),
            )
        )
    return tuple(estimates)


def _count(recipe: Recipe, config: PreTrainedConfig, task: Literal["CAUSAL_LM", "SEQ_CLS"]) -> ParameterCount:
    import copy

    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from mplus_eval.training.models import adapter_config

    config = copy.deepcopy(config)
    if task == "SEQ_CLS":
        config.num_labels = 1
    kind = AutoModelForCausalLM if task == "CAUSAL_LM" else AutoModelForSequenceClassification
    with torch.device("meta"):
        model = kind.from_config(config)
        n_parameters = sum(weights.numel() for weights in model.parameters())
        if (adapter := adapter_config(recipe.lora, task)) is None:
            return ParameterCount(n_parameters, n_parameters)
        from peft import get_peft_model

        adapted = get_peft_model(model, adapter)
        n_trained = sum(weights.numel() for weights in adapted.parameters() if weights.requires_grad)
        return ParameterCount(n_parameters, n_trained)


def _seconds_per_step(
    recipe: Recipe, settings: Optimisation, workload: Workload, n_parameters: int, speed: DeviceSpeed
) -> float:
    trained = workload.tokens * settings.accumulate
    operations = (4 if recipe.lora else 6) + (2 if settings.gradient_checkpointing else 0)
    seconds = operations * n_parameters * trained / speed.operations_per_second
    replayed = workload.replayed_tokens * settings.accumulate
    seconds += 2 * n_parameters * replayed / speed.operations_per_second
    if not isinstance(settings, RlhfStage):
        return seconds
    # Answers are made and scored once for all iterations over them; reading the prompt is part of making them.
    generated = (trained - replayed) / settings.iterations
    scorers = workload.n_reward_models + (1 if settings.kl.coefficient else 0)
    per_token = 2 * n_parameters / speed.operations_per_second
    reading = 0.0
    if speed.bytes_per_second is not None:
        # Each token of a batch of answers takes a reading of all weights, which is longer than the arithmetic of few.
        reading = settings.max_new_tokens * n_parameters * workload.number_bytes / speed.bytes_per_second
        reading /= settings.steps_per_batch_of_answers
    return seconds + generated * per_token * scorers + max(generated * per_token, reading)
