"""What a training will take: parameters, steps, tokens, memory of a device and time, before any weight is loaded.

Parameters are counted on the `meta` device, which allocates nothing. The rest is arithmetic:

    memory       weights + gradients + two moments of AdamW + reference + reward models + activations + generation
    activations  Korthikanti et al. (2205.05198), section 4.1, for gated feed-forward parts and grouped keys, and for
                 attention that keeps no scores (torch's scaled_dot_product_attention)
    time         6 N operations for a trained token (4 N with adapters: frozen weights need no gradients; 2 N more where
                 activations are made again), 2 N for one that is generated or scored

Tokens are upper bounds (every row as long as is allowed), and so are memory and time of training. Time leaves out
loading, measuring and what the processes say to each other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage

GIB = 2**30
_FLOAT32 = 4
_ADAM_MOMENTS = 2


@dataclass(frozen=True)
class Speed:
    """How fast a device computes, and where that number is from."""

    device: str
    operations_per_second: float
    bytes_per_second: float | None
    memory_gib: float | None
    source: str


@dataclass(frozen=True)
class Memory:
    """Of one device, in GiB."""

    weights: float
    gradients: float
    moments: float
    reference: float
    reward_models: float
    activations: float
    activations_checkpointed: float
    generation: float
    checkpointing: bool

    @property
    def total(self) -> float:
        """All of it at once, an upper bound."""
        activations = self.activations_checkpointed if self.checkpointing else self.activations
        states = self.weights + self.gradients + self.moments + self.reference + self.reward_models
        return states + activations + self.generation


@dataclass(frozen=True)
class StageEstimate:
    """One stage. Steps, tokens and seconds are None where the number of rows is not known and decides them."""

    name: str
    parameters: int
    trainable: int
    steps: int | None
    tokens_per_step: int
    seconds_per_step: float
    memory: Memory

    @property
    def tokens(self) -> int | None:
        """Trained on, by all devices together."""
        return None if self.steps is None else self.steps * self.tokens_per_step

    @property
    def seconds(self) -> float | None:
        """Of the whole stage."""
        return None if self.steps is None else self.steps * self.seconds_per_step


@dataclass(frozen=True)
class Shape:
    """Of a decoder: sizes of one token's vectors."""

    hidden: int
    intermediate: int
    layers: int
    queries: int
    keys: int
    vocabulary: int


# Dense operations a second in bfloat16, bytes a second, and GiB, by the vendor's data sheets.
_GPUS = {
    "H200": (989e12, 4.8e12, 141e9 / GIB),
    "H100": (989e12, 3.35e12, 80e9 / GIB),
    "A100": (312e12, 2.0e12, 80e9 / GIB),
    "L40S": (362e12, 0.864e12, 48e9 / GIB),
    "A10": (125e12, 0.6e12, 24e9 / GIB),
}
_UTILISATION = 0.35


def estimate(recipe: Recipe, config: Any, rows: Mapping[str, int | None], speed: Speed) -> tuple[StageEstimate, ...]:
    """Estimate every stage of a recipe, the referee of the reward model included.

    Args:
        recipe: all of it.
        config: the base's, as transformers reads it.
        rows: rows that each stage trains on, by its name; None where that is not known. Not needed for rlhf.
        speed: of one device.
    """
    language, reward = _count(recipe, config, "CAUSAL_LM"), _count(recipe, config, "SEQ_CLS")
    stages: dict[str, tuple[Optimisation, tuple[int, int]]] = {}
    if recipe.reward:
        stages["reward"] = (recipe.reward, reward)
        if recipe.reward.referee:
            stages["referee"] = (recipe.reward, reward)
    for name, settings in (*recipe.sft.items(), *recipe.rlhf.items()):
        stages[name] = (settings, language)
    shape = shape_of(config)
    return tuple(
        StageEstimate(
            name=name,
            parameters=parameters,
            trainable=trainable,
            steps=_steps(recipe, settings, rows.get(name)),
            tokens_per_step=_tokens_per_step(recipe, settings),
            seconds_per_step=_seconds_per_step(recipe, settings, parameters, speed),
            memory=_memory(recipe, settings, shape, parameters, trainable, speed),
        )
        for name, (settings, (parameters, trainable)) in stages.items()
    )


def speed_of(recipe: Recipe) -> Speed:
    """The speed of the device that the recipe would run on, as far as it is known here.

    A recipe for a GPU that is checked on a machine without one is estimated for an H100.
    """
    import torch

    if recipe.device == "cpu":
        return Speed("CPU", _measured_speed(recipe.threads), None, None, "measured by a product of matrices")
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    known = next((gpu for gpu in _GPUS if gpu in name), None)
    operations, bandwidth, memory = _GPUS[known or "H100"]
    why = "" if known else f"; {name} is not known, so an H100 is assumed" if name else "; no GPU is here"
    source = f"{operations / 1e12:.0f} TFLOP/s x {_UTILISATION} that training makes use of, an assumption{why}"
    return Speed(known or "H100", operations * _UTILISATION, bandwidth, memory, source)


def shape_of(config: Any) -> Shape:
    """Read the sizes of a decoder from its configuration."""
    text = config.get_text_config()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    key_heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return Shape(
        hidden=text.hidden_size,
        # Models of GPT-2's family name no size where it is four times the hidden one.
        intermediate=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        queries=head * text.num_attention_heads,
        keys=head * key_heads,
        vocabulary=text.vocab_size,
    )


def activation_bytes(shape: Shape, n_tokens: int, n_bytes: int, *, logits: bool, checkpointing: bool) -> int:
    """Bytes that the forward pass keeps for the backward pass.

    Of a layer: inputs of both norms and of both parts (4 hidden), queries, keys, values and the attention's result
    (2 queries + 2 keys), gate, its activation, up and their product (4 intermediate). With checkpointing only each
    layer's input is kept, and one layer at a time is made again.

    Args:
        shape: of the model.
        n_tokens: rows times length.
        n_bytes: of one number.
        logits: whether logits of the vocabulary are made, in float32 (the paper's section 4.3).
        checkpointing: whether layers are made again.
    """
    layer = n_bytes * (4 * shape.hidden + 2 * shape.queries + 2 * shape.keys + 4 * shape.intermediate)
    kept = shape.layers * n_bytes * shape.hidden + layer if checkpointing else shape.layers * layer
    return n_tokens * (kept + (_FLOAT32 * shape.vocabulary if logits else 0))


def cache_bytes(shape: Shape, n_tokens: int, n_bytes: int) -> int:
    """Bytes of the keys and values of tokens."""
    return n_tokens * shape.layers * 2 * shape.keys * n_bytes


def _count(recipe: Recipe, config: Any, task: str) -> tuple[int, int]:
    """Parameters of the model, without adapters, and those that are trained."""
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
        parameters = sum(weights.numel() for weights in model.parameters())
        if (adapter := adapter_config(recipe.lora, task)) is None:
            return parameters, parameters
        from peft import get_peft_model

        adapted = get_peft_model(model, adapter)
        return parameters, sum(weights.numel() for weights in adapted.parameters() if weights.requires_grad)


def _processes(recipe: Recipe) -> int:
    return recipe.launch.processes * recipe.launch.machines


def _steps(recipe: Recipe, settings: Optimisation, n_rows: int | None) -> int | None:
    if settings.steps is not None or n_rows is None:
        return settings.steps
    batches = math.ceil(n_rows / (settings.batch_size * _processes(recipe)))
    return math.ceil(settings.epochs * math.ceil(batches / settings.accumulate))


def _rows_per_step(recipe: Recipe, settings: Optimisation) -> int:
    return settings.batch_size * settings.accumulate * _processes(recipe)


def _length(recipe: Recipe, settings: Optimisation) -> int:
    """The longest row, in tokens; of rlhf that is the longest prompt and its answer."""
    return recipe.longest_prompt + settings.max_new_tokens if isinstance(settings, RlhfStage) else recipe.max_length


def _tokens_per_step(recipe: Recipe, settings: Optimisation) -> int:
    sides = 2 if isinstance(settings, RewardStage) else 1
    return sides * _rows_per_step(recipe, settings) * _length(recipe, settings)


def _seconds_per_step(recipe: Recipe, settings: Optimisation, parameters: int, speed: Speed) -> float:
    processes = _processes(recipe)
    trained = _tokens_per_step(recipe, settings) / processes
    operations = (4 if recipe.lora else 6) + (2 if settings.gradient_checkpointing else 0)
    seconds = operations * parameters * trained / speed.operations_per_second
    if not isinstance(settings, RlhfStage):
        return seconds
    # Answers are made and scored once for all iterations over them; reading the prompt is part of making them.
    made = trained / settings.iterations
    scorers = _n_reward_models(settings) + (1 if settings.kl.coefficient else 0)
    per_token = 2 * parameters / speed.operations_per_second
    return (
        seconds
        + made * per_token * scorers
        + max(made * per_token, _reading_seconds(recipe, settings, parameters, speed))
    )


def _reading_seconds(recipe: Recipe, settings: RlhfStage, parameters: int, speed: Speed) -> float:
    """Each token of a batch of answers takes a reading of all weights, which is longer than the arithmetic of few."""
    if speed.bytes_per_second is None:
        return 0.0
    reading = settings.max_new_tokens * parameters * _number_bytes(recipe) / speed.bytes_per_second
    return reading / settings.steps_per_batch_of_answers


def _n_reward_models(settings: RlhfStage) -> int:
    return sum(part.kind == "model" for part in settings.rewards.values())


def _number_bytes(recipe: Recipe) -> int:
    """Of what is computed with."""
    return 2 if recipe.dtype == "bfloat16" else _FLOAT32


def _memory(
    recipe: Recipe, settings: Optimisation, shape: Shape, parameters: int, trainable: int, speed: Speed
) -> Memory:
    shards = _processes(recipe) if recipe.launch.accelerate else 1
    adapters = trainable if recipe.lora else 0
    frozen_bytes = _number_bytes(recipe) if recipe.lora else _FLOAT32
    # Autocast keeps what it has cast of float32 weights; of weights in shards only a layer at a time is whole.
    copies = parameters * 2 if recipe.dtype == "bfloat16" and not recipe.lora and shards == 1 else 0
    weights = parameters * frozen_bytes + adapters * _FLOAT32 + copies
    reference = reward_models = generation = 0.0
    if isinstance(settings, RlhfStage):
        reference = parameters * _FLOAT32 if settings.kl.coefficient and not recipe.lora else 0
        reward_models = _n_reward_models(settings) * parameters * _number_bytes(recipe)
        generation = _generation_bytes(recipe, settings, shape, speed)
    sides = 2 if isinstance(settings, RewardStage) else 1
    n_tokens = sides * settings.batch_size * _length(recipe, settings)
    kept, checkpointed = (
        activation_bytes(
            shape, n_tokens, _number_bytes(recipe), logits=not isinstance(settings, RewardStage), checkpointing=answer
        )
        for answer in (False, True)
    )
    return Memory(
        weights=weights / shards / GIB,
        gradients=trainable * _FLOAT32 / shards / GIB,
        moments=_ADAM_MOMENTS * trainable * _FLOAT32 / shards / GIB,
        reference=reference / shards / GIB,
        # Every process scores its own answers, so each has the reward models whole.
        reward_models=reward_models / GIB,
        activations=kept / GIB,
        activations_checkpointed=checkpointed / GIB,
        generation=generation / GIB,
        checkpointing=settings.gradient_checkpointing,
    )


def _generation_bytes(recipe: Recipe, settings: RlhfStage, shape: Shape, speed: Speed) -> float:
    """The cache of keys and values of all answers that are made at once, or vLLM's share of the device."""
    vllm = settings.trl.get("use_vllm") and settings.trl.get("vllm_mode", "colocate") == "colocate"
    if vllm and speed.memory_gib is not None:
        return float(settings.trl.get("vllm_gpu_memory_utilization", 0.3)) * speed.memory_gib * GIB
    if settings.trl.get("use_vllm"):
        return 0.0
    n_answers = (settings.steps_per_generation or settings.accumulate) * settings.batch_size
    return cache_bytes(shape, n_answers * _length(recipe, settings), _number_bytes(recipe))


def _measured_speed(threads: int | None) -> float:
    """Operations a second of a product of matrices, over a fifth of a second."""
    import torch

    before, size = torch.get_num_threads(), 512
    torch.set_num_threads(threads or before)
    try:
        matrix = torch.ones(size, size)
        matrix @ matrix
        begin, n = time.perf_counter(), 0
        while (seconds := time.perf_counter() - begin) < 0.2:
            matrix @ matrix
            n += 1
    finally:
        torch.set_num_threads(before)
    return n * 2 * size**3 / seconds
