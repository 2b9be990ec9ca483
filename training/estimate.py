"""What a training will take: parameters, steps, tokens, memory of a device and time, before any weight is loaded.

Parameters are counted on the `meta` device, which allocates nothing. The rest is arithmetic; of time

    6 N operations for a trained token (4 N with adapters: frozen weights need no gradients; 2 N more where activations
    are made again), 2 N for one that is generated or scored; 8 V for a place whose logits over V weights are learned
    from (6 V with adapters), since they are made twice, and 2 V where they are only looked at

Embeddings are looked up, not multiplied with, and are not among N. Memory is an upper bound, with every row as long as
is allowed; tokens and time are expected ones where the rows' lengths are known, else upper bounds too. Time leaves out
loading and what the processes say to each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mplus_eval.training.memory import DeviceMemory, ParameterCount, memory_of, shape_of
from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage
from mplus_eval.training.speed import DeviceSpeed
from mplus_eval.training.workload import MEASURED_AT_ONCE, RowLength, Workload, n_judges, padded, workload_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


TEST_PAIRS, CHECK_PROMPTS = "test pairs", "check prompts"
"""Not names of stages: a name has no space."""


@dataclass(frozen=True)
class StageEstimate:
    """One stage. Steps, tokens and seconds are None where the number of rows is not known and decides them."""

    name: str
    parameters: int
    trainable: int
    steps: int | None
    tokens_per_step: int
    seconds_per_step: float
    measuring_seconds: float | None
    """Of its saved checkpoints, and with the first language model the base's; None where prompts are not known."""
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
    recipe: Recipe,
    config: PreTrainedConfig,
    rows: Mapping[str, int | None],
    speed: DeviceSpeed,
    lengths: Mapping[str, Sequence[RowLength]] | None = None,
) -> tuple[StageEstimate, ...]:
    """Estimate every stage of a recipe, the held-out reward model's included.

    Args:
        recipe: all of it.
        config: the base's, as transformers reads it.
        rows: rows that each stage trains on, by its name; None where that is not known. Not needed for rlhf.
        speed: of one device.
        lengths: of these rows and of rlhf's prompts, by the stage's name, where they are known; so too those of what
            is measured with, as `TEST_PAIRS` and `CHECK_PROMPTS`.
    """
    lengths = lengths or {}
    language, reward = _count(recipe, config, "CAUSAL_LM"), _count(recipe, config, "SEQ_CLS")
    names = list(recipe.stages)
    if recipe.reward and recipe.reward.referee:
        names.insert(1, "referee")
    shape = shape_of(config)
    models = (*recipe.sft, *recipe.rlhf)
    estimates = []
    for name in names:
        settings = recipe.settings_of(name)
        parameters = reward if isinstance(settings, RewardStage) else language
        workload = workload_of(recipe, settings, lengths.get(name, ()))
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
                tokens_per_step=round(workload.expected_tokens * settings.accumulate * recipe.n_processes),
                seconds_per_step=_seconds_per_step(recipe, settings, workload, parameters, speed),
                measuring_seconds=_measuring_seconds(
                    recipe, settings, parameters, speed, lengths, is_first=name == next(iter(models), None)
                ),
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
        looked_up = model.get_input_embeddings().weight
        layer = model.get_output_embeddings() if task == "CAUSAL_LM" else None
        head = layer.weight.numel() if layer is not None else 0
        is_tied = layer is None or layer.weight is looked_up
        body = n_parameters - looked_up.numel() - (0 if is_tied else head)
        if (adapter := adapter_config(recipe.lora, task)) is None:
            return ParameterCount(n_parameters, body, head, n_parameters)
        from peft import get_peft_model

        adapted = get_peft_model(model, adapter)
        n_trained = sum(weights.numel() for weights in adapted.parameters() if weights.requires_grad)
        return ParameterCount(n_parameters, body, head, n_trained)


def _seconds_per_step(
    recipe: Recipe, settings: Optimisation, workload: Workload, parameters: ParameterCount, speed: DeviceSpeed
) -> float:
    tokens, places = workload.expected_tokens, workload.expected_places

    def forward(n_tokens: float, n_places: float) -> float:
        return 2 * parameters.body * n_tokens + 2 * parameters.head * n_places

    of_body = (4 if recipe.lora else 6) + (2 if settings.gradient_checkpointing else 0)
    operations = of_body * parameters.body * tokens + (6 if recipe.lora else 8) * parameters.head * places
    replayed = forward(workload.replayed_tokens, workload.replayed_tokens) / speed.forward_per_second
    seconds = settings.accumulate * (operations / speed.operations_per_second + replayed)
    if not isinstance(settings, RlhfStage):
        return seconds
    # Answers are made and scored once for all iterations over them.
    own_tokens, own_places = (each - workload.replayed_tokens for each in (tokens, places))
    scored = workload.n_reward_models * 2 * parameters.body * own_tokens
    scored += forward(own_tokens, own_places) if settings.kl.coefficient else 0
    sampled = forward(workload.prompt_tokens + own_places, own_places)
    per_answer = settings.accumulate / settings.iterations / speed.forward_per_second
    reading = 0.0
    if speed.bytes_per_second is not None:
        # Each token of a batch of answers takes a reading of all weights, which is longer than the arithmetic of few.
        reading = settings.max_new_tokens * parameters.model * workload.number_bytes / speed.bytes_per_second
        reading /= settings.steps_per_batch_of_answers
    return seconds + scored * per_answer + max(sampled * per_answer, reading)


def _measuring_seconds(
    recipe: Recipe,
    settings: Optimisation,
    parameters: ParameterCount,
    speed: DeviceSpeed,
    lengths: Mapping[str, Sequence[RowLength]],
    *,
    is_first: bool,
) -> float | None:
    """A reward model reads test pairs; of a language model answers are sampled, read by it, the base and the judges."""
    if isinstance(settings, RewardStage):
        read = 2 * sum(pair.whole for pair in lengths.get(TEST_PAIRS, ()))
        return 2 * parameters.body * read / speed.forward_per_second if read else None
    if not (prompts := lengths.get(CHECK_PROMPTS)):
        return None
    new = len(prompts) * recipe.measured_tokens
    tokens = len(prompts) * padded([prompt.prompt for prompt in prompts], MEASURED_AT_ONCE) + new
    judged = n_judges(recipe, settings) * 2 * parameters.body * tokens
    operations = 3 * (2 * parameters.body * tokens + 2 * parameters.head * new) + judged
    n_saved = settings.steps // settings.save_every if settings.steps and settings.save_every else 1
    return (n_saved + is_first) * operations / speed.forward_per_second
