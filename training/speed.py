"""How fast the device of a recipe computes: a GPU's data sheet, or what a processor was measured at."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mplus_eval.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

GIB = 2**30

# Dense operations a second in bfloat16, bytes a second, and GiB, by the vendor's data sheets.
_GPUS = {
    "H200": (989e12, 4.8e12, 141e9 / GIB),
    "H100": (989e12, 3.35e12, 80e9 / GIB),
    "A100": (312e12, 2.0e12, 80e9 / GIB),
    "L40S": (362e12, 0.864e12, 48e9 / GIB),
    "A10": (125e12, 0.6e12, 24e9 / GIB),
}
_UTILISATION = 0.35
_LAYERS, _ROWS, _TOKENS, _VOCABULARY, _SECONDS = 2, 4, 128, 256, 1.0
"""What a processor is measured with: layers, rows and tokens of a row, and for how long at least."""
CPU = "CPU"


@dataclass(frozen=True)
class DeviceSpeed:
    """How fast a device computes, and where that number is from.

    Attributes:
        device: its name.
        operations_per_second: where gradients are needed.
        forward_per_second: the same where they are not.
        bytes_per_second: that it reads of its memory; None where that is not known.
        memory_gib: that it has; None where that is not known.
        source: in words.
    """

    device: str
    operations_per_second: float
    forward_per_second: float
    bytes_per_second: float | None
    memory_gib: float | None
    source: str


def speed_of(recipe: Recipe, config: PreTrainedConfig) -> DeviceSpeed:
    """The speed of the device that the recipe would run on, as far as it is known here.

    A recipe for a GPU that is checked on a machine without one is estimated for an H100.

    Args:
        recipe: all of it.
        config: the base's, as transformers reads it.
    """
    import torch

    if recipe.device == "cpu":
        learning, forward = _measured(recipe, config)
        source = f"{_LAYERS} layers of the base's shape as measured here, {forward / 1e12:.3g} without gradients"
        return DeviceSpeed(CPU, learning, forward, None, None, source)
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    gpu = next((gpu for gpu in _GPUS if gpu in name), None)
    operations, bandwidth, memory = _GPUS[gpu or "H100"]
    why = "" if gpu else f"; {name} is not known, so an H100 is assumed" if name else "; no GPU is here"
    source = f"{operations / 1e12:.0f} TFLOP/s x {_UTILISATION} that training makes use of, an assumption{why}"
    used = operations * _UTILISATION
    return DeviceSpeed(gpu or "H100", used, used, bandwidth, memory, source)


def _measured(recipe: Recipe, config: PreTrainedConfig) -> tuple[float, float]:
    """Operations a second that a few layers of the base's shape reach as the recipe trains them, and without gradients.

    A plain product of matrices would say little: by how much it is faster than all that lies between depends on the
    processor. With adapters, of the base's weights alone are operations counted, as in an estimate.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from mplus_eval.training.models import adapter_config

    tokens = torch.arange(_ROWS * _TOKENS).reshape(_ROWS, _TOKENS) % _VOCABULARY
    before = torch.get_num_threads()
    torch.set_num_threads(recipe.threads or before)
    try:
        model = AutoModelForCausalLM.from_config(_shortened(config), dtype=getattr(torch, recipe.dtype))
        operations = tokens.numel() * sum(weights.numel() for weights in model.parameters())
        with torch.no_grad():
            forward = _times_a_second(lambda: model(input_ids=tokens))
        if (adapter := adapter_config(recipe.lora, "CAUSAL_LM")) is not None:
            from peft import get_peft_model

            model = get_peft_model(model, adapter)
        learning = _times_a_second(lambda: model(input_ids=tokens).logits.float().mean().backward())
    finally:
        torch.set_num_threads(before)
    return learning * operations * (4 if recipe.lora else 6), forward * operations * 2


def _times_a_second(work: Callable[[], object]) -> float:
    work()
    begin, n = time.perf_counter(), 0
    while (seconds := time.perf_counter() - begin) < _SECONDS:
        work()
        n += 1
    return n / seconds


def _shortened(config: PreTrainedConfig) -> PreTrainedConfig:
    """The same shape with few layers and words; of what a configuration tells of each layer, the first ones."""
    short = copy.deepcopy(config.get_text_config())
    n_layers, keep = short.num_hidden_layers, min(_LAYERS, short.num_hidden_layers)
    for name, value in vars(short).items():
        if isinstance(value, (list, tuple)) and len(value) == n_layers:
            setattr(short, name, value[:keep])
    short.num_hidden_layers, short.vocab_size, short.pad_token_id = keep, _VOCABULARY, None
    return short
