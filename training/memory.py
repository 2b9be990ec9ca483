"""What a stage takes of a device's memory, reckoned before any weight is loaded.

memory       weights + gradients + two moments of AdamW + reference + reward models + activations + logits
             + generation + the process itself, where it is counted
measuring    what was trained and its base + the reward models that judge + a checkpoint's file while it is read, or
             answers while they are sampled, or logits of both while the KL is taken, + the process itself
activations  Korthikanti et al. (2205.05198), section 4.1, for gated feed-forward parts and grouped keys, and for
             attention that keeps no scores (torch's scaled_dot_product_attention); in bfloat16 with what norms and
             adapters keep in float32, which on Gemma 3 270M is most of it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mplus_eval.training.next_tokens import VALUES_AT_ONCE
from mplus_eval.training.recipe import Optimisation, Recipe, RewardStage, RlhfStage
from mplus_eval.training.speed import CPU, GIB, DeviceSpeed
from mplus_eval.training.trl_private import GPU_PLACES, GPU_WORDS, PLACES, WORDS
from mplus_eval.training.workload import FLOAT32_BYTES, MEASURED_AT_ONCE, Workload, n_judges

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_ADAM_MOMENTS = 2
_PROCESS = 1.5
"""GiB of the program and its libraries, which count where the device's memory is the machine's; measured on Linux."""


@dataclass(frozen=True)
class DeviceMemory:
    """Of one device, in GiB."""

    weights: float
    gradients: float
    moments: float
    reference: float
    reward_models: float
    activations: float
    activations_checkpointed: float
    logits: float
    generation: float
    process: float
    measuring: float
    """All of it while a checkpoint is measured, when nothing of the training is held any more."""
    checkpointing: bool

    @property
    def total(self) -> float:
        """All of it at once while the stage trains, an upper bound."""
        activations = self.activations_checkpointed if self.checkpointing else self.activations
        states = self.weights + self.gradients + self.moments + self.reference + self.reward_models
        return states + activations + self.logits + self.generation + self.process


@dataclass(frozen=True)
class DecoderShape:
    """Of a decoder: sizes of one token's vectors."""

    hidden: int
    intermediate: int
    layers: int
    queries: int
    keys: int
    vocabulary: int
    norms: int = 2
    """Of a layer, over the hidden size."""


@dataclass(frozen=True)
class ParameterCount:
    """Of a model without adapters: all, those that every token is multiplied with, and those of the layer of logits.

    `trained` are those that are trained of it, or beside it.
    """

    model: int
    body: int
    head: int
    trained: int


def memory_of(
    recipe: Recipe,
    settings: Optimisation,
    workload: Workload,
    shape: DecoderShape,
    parameters: ParameterCount,
    speed: DeviceSpeed,
) -> DeviceMemory:
    """The memory of each device while a stage trains.

    Args:
        recipe: all of it.
        settings: the stage's part.
        workload: the stage's.
        shape: of the model.
        parameters: how many the model has.
        speed: of one device; vLLM takes a share of its memory.
    """
    number_bytes = workload.number_bytes
    computed_bytes = parameters.model * number_bytes
    shards = recipe.n_processes if recipe.launch.accelerate else 1
    adapters = parameters.trained if recipe.lora else 0
    frozen_bytes = number_bytes if recipe.lora else FLOAT32_BYTES
    # Autocast keeps what it has cast of float32 weights; of weights in shards only a layer at a time is whole.
    copies = parameters.model * 2 if recipe.dtype == "bfloat16" and not recipe.lora and shards == 1 else 0
    weights = parameters.model * frozen_bytes + adapters * FLOAT32_BYTES + copies
    reference = generation = 0.0
    if isinstance(settings, RlhfStage):
        reference = parameters.model * FLOAT32_BYTES if settings.kl.coefficient and not recipe.lora else 0
        generation = _generation_bytes(settings, workload, shape, speed)
    # The base of the replay is whole in every process.
    replay_base = computed_bytes if workload.replayed_tokens and not recipe.lora else 0
    plain, checkpointed = (
        activation_bytes(
            shape, workload.tokens, number_bytes, adapters=recipe.lora is not None, checkpointing=checkpointing
        )
        for checkpointing in (False, True)
    )
    on_processor = speed.device == CPU
    process = _PROCESS if on_processor else 0.0
    measuring = _measuring_bytes(recipe, settings, workload, shape, parameters.model, on_processor=on_processor)
    logits = 0 if isinstance(settings, RewardStage) else logits_bytes(shape, workload, on_processor=on_processor)
    return DeviceMemory(
        weights=weights / shards / GIB,
        gradients=parameters.trained * FLOAT32_BYTES / shards / GIB,
        moments=_ADAM_MOMENTS * parameters.trained * FLOAT32_BYTES / shards / GIB,
        reference=(reference / shards + replay_base) / GIB,
        # Every process scores its own answers, so each has the reward models whole.
        reward_models=workload.n_reward_models * computed_bytes / GIB,
        activations=plain / GIB,
        activations_checkpointed=checkpointed / GIB,
        logits=logits / GIB,
        generation=generation / GIB,
        process=process,
        measuring=process + measuring / GIB,
        checkpointing=settings.gradient_checkpointing,
    )


def shape_of(config: PreTrainedConfig) -> DecoderShape:
    """Read the sizes of a decoder from its configuration."""
    text = config.get_text_config()
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    key_heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return DecoderShape(
        hidden=text.hidden_size,
        # Models of GPT-2's family name no size where it is four times the hidden one.
        intermediate=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        queries=head * text.num_attention_heads,
        keys=head * key_heads,
        vocabulary=text.vocab_size,
        # Gemma 2 and 3 have one before and one behind both parts.
        norms=4 if text.model_type.startswith(("gemma2", "gemma3")) else 2,
    )


def logits_bytes(shape: DecoderShape, workload: Workload, *, on_processor: bool) -> int:
    """Bytes of the logits that are held at once: TRL makes them in tiles, and folds each into a few numbers a token.

    A tile is in the precision of the computation, and where there is no kernel for it, in float32 half a dozen times.
    Replayed texts have slices of their own.
    """
    # On processors the tiles of a large vocabulary are ours.
    places, words = (PLACES, WORDS) if on_processor and shape.vocabulary > GPU_WORDS else (GPU_PLACES, GPU_WORDS)
    copies = workload.number_bytes + (6 * FLOAT32_BYTES if on_processor else 0)
    tile = min(workload.tokens, places) * min(shape.vocabulary, words) * copies
    replayed = min(workload.replayed_tokens * shape.vocabulary, VALUES_AT_ONCE) * 4 * FLOAT32_BYTES
    return max(tile, replayed)


def activation_bytes(shape: DecoderShape, n_tokens: int, n_bytes: int, *, adapters: bool, checkpointing: bool) -> int:
    """Bytes that the forward pass keeps for the backward pass.

    Of a layer: inputs of both norms and of both parts (4 hidden), queries, keys, values and the attention's result
    (2 queries + 2 keys), gate, its activation, up and their product (4 intermediate). With checkpointing only each
    layer's input is kept, and one layer at a time is made again. In half precision a norm keeps its input and what it
    makes of it in float32, and an adapter, whose own weights are in float32, the input of every linear layer.

    Args:
        shape: of the model.
        n_tokens: rows times length.
        n_bytes: of one number.
        adapters: whether adapters are trained beside every linear layer.
        checkpointing: whether layers are made again.
    """
    layer = n_bytes * (4 * shape.hidden + 2 * shape.queries + 2 * shape.keys + 4 * shape.intermediate)
    if n_bytes < FLOAT32_BYTES:
        layer += 2 * FLOAT32_BYTES * shape.norms * shape.hidden
        # Queries, keys, values, gate and up have the same input, and each a copy of it.
        layer += FLOAT32_BYTES * (5 * shape.hidden + shape.queries + shape.intermediate) if adapters else 0
    layers = shape.layers * n_bytes * shape.hidden + layer if checkpointing else shape.layers * layer
    return n_tokens * layers


def _generation_bytes(settings: RlhfStage, workload: Workload, shape: DecoderShape, speed: DeviceSpeed) -> float:
    """Keys, values and logits of all answers that are made at once, or vLLM's share of the device."""
    if settings.trl.get("use_vllm"):
        if settings.trl.get("vllm_mode", "colocate") != "colocate" or speed.memory_gib is None:
            return 0.0
        return float(settings.trl.get("vllm_gpu_memory_utilization", 0.3)) * speed.memory_gib * GIB
    n_answers = settings.batches_at_once * settings.batch_size
    return _sampling_bytes(n_answers, workload.longest_row, shape, workload.number_bytes)


def _sampling_bytes(n_answers: int, longest: int, shape: DecoderShape, n_bytes: int) -> int:
    """Keys and values of answers that are made at once, and the next tokens' logits, as probabilities twice."""
    cache = longest * shape.layers * 2 * shape.keys * n_bytes
    return n_answers * (cache + shape.vocabulary * (n_bytes + 2 * FLOAT32_BYTES))


def _measuring_bytes(
    recipe: Recipe,
    settings: Optimisation,
    workload: Workload,
    shape: DecoderShape,
    n_weights: int,
    *,
    on_processor: bool,
) -> int:
    """What is held when a checkpoint is measured; on a processor its file too while it is read.

    The file is taken to be in the recipe's precision.
    """
    model = n_weights * workload.number_bytes
    file = model if on_processor else 0
    if isinstance(settings, RewardStage):
        return model + file
    longest = recipe.longest_prompt + recipe.measured_tokens
    sampling = _sampling_bytes(MEASURED_AT_ONCE, longest, shape, workload.number_bytes)
    # Of either model the logits, their logarithms and what they are multiplied to.
    logits = 2 * 3 * FLOAT32_BYTES * min(VALUES_AT_ONCE, MEASURED_AT_ONCE * longest * shape.vocabulary)
    return (2 + n_judges(recipe, settings)) * model + max(file, sampling, logits)
