"""How much is computed at once: found from the memory that is free, halved when it does not suffice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

_FEWEST_TOKENS, _FEWEST_ROWS = 64, 16
_TOKENS_OF_AN_ITEM = 64
_ON_CPU = 1024
"""Tokens of a pack: more do not make a processor faster, and take its caches."""
_MOST_ON_CUDA = 16384
_LAYER = re.compile(r"(^|\.)\d+$")
"""Ends the name of a module that is one layer of several."""
_ROW_BYTES = 256 * 2**20
"""Of logits on a processor."""


@dataclass(frozen=True)
class Budget:
    """How much is computed at once."""

    tokens: int = _ON_CPU
    """Of one forward."""
    rows: int = 1024
    """Positions whose logits are held at once, each as wide as the vocabulary."""
    slots: int = 128
    """Sequences that are generated at once."""
    cached: int = 65536
    """Tokens whose keys and values are held at once in generation."""

    @classmethod
    def of_batch(cls, size: int) -> Budget:
        """That of a batch size that was asked for: items at once, of 64 tokens each."""
        tokens = max(_FEWEST_TOKENS, size * _TOKENS_OF_AN_ITEM)
        return cls(tokens=tokens, rows=min(tokens, 1024), slots=8 * size, cached=64 * tokens)

    def halved(self) -> Budget:
        """Half of it, down to what makes progress at all; then it is the same."""
        return replace(
            self,
            tokens=max(_FEWEST_TOKENS, self.tokens // 2),
            rows=max(_FEWEST_ROWS, self.rows // 2),
            slots=max(1, self.slots // 2),
            cached=max(_FEWEST_TOKENS, self.cached // 2),
        )


def find_budget(model: PreTrainedModel) -> Budget:
    """What fits the free memory of a model's devices: a quarter each for tokens, logits, and generation's cache.

    Of several GPUs the one that has least for its layers decides. Slices of one model in several processes have one
    budget, since all of them compute the same.
    """
    config = model.config.get_text_config()
    layers = layers_by_gpu(model)
    if not layers:
        return Budget(rows=_between(_FEWEST_ROWS, _ROW_BYTES // _row_bytes(config), 1024))
    n_slices = int(getattr(model, "tp_size", None) or 1)
    width = config.hidden_size
    inner = max(getattr(config, "intermediate_size", None) or 4 * width, width) // n_slices
    size = model.dtype.itemsize
    heads = getattr(config, "num_attention_heads", None) or 1
    head = getattr(config, "head_dim", None) or width // heads
    # Keys and values of one token in one layer.
    in_layer = 2 * size * int(head) * int(getattr(config, "num_key_value_heads", None) or heads) // n_slices
    # Of one layer at a time: the widest intermediate three times over, hidden states and queries six times.
    active = size * (3 * inner + 6 * width)
    free = {gpu: _least(_free(gpu), n_slices) // 4 for gpu in layers}
    cached = min(free[gpu] // (in_layer * n_layers) for gpu, n_layers in layers.items())
    computed = min(free[gpu] // (active + in_layer * n_layers) for gpu, n_layers in layers.items())
    return Budget(
        tokens=_between(_FEWEST_TOKENS, computed, _MOST_ON_CUDA),
        rows=_between(_FEWEST_ROWS, min(free.values()) // _row_bytes(config), 8192),
        slots=256,
        cached=max(_FEWEST_TOKENS, cached),
    )


def layers_by_gpu(model: PreTrainedModel) -> dict[torch.device, int]:
    """How many layers each GPU computes, those among them that it fetches from elsewhere; empty on a processor."""
    n_layers = int(model.config.get_text_config().num_hidden_layers)
    places: Mapping[str, object] = getattr(model, "hf_device_map", None) or {"": model.device}
    gpus = [gpu for gpu in dict.fromkeys(map(_gpu, places.values())) if gpu is not None]
    if not gpus:
        return {}
    # What lies in main memory or on the disk is computed on the first one.
    of_layers = Counter(_gpu(place) or gpus[0] for module, place in places.items() if _LAYER.search(module))
    if of_layers.total() != n_layers:
        return dict.fromkeys(gpus, n_layers)
    return {gpu: max(of_layers[gpu], 1) for gpu in gpus}


def _gpu(place: object) -> torch.device | None:
    """A place of a device map, where it is a GPU."""
    import torch

    if isinstance(place, int):
        return torch.device("cuda", place)
    return torch.device(str(place)) if str(place).startswith("cuda") else None


def _free(gpu: torch.device) -> int:
    import torch

    return int(torch.cuda.mem_get_info(gpu)[0])


def _least(free: int, n_slices: int) -> int:
    """The least of all processes that hold a slice of one model."""
    import torch

    if n_slices == 1:
        return free
    least = torch.tensor([free], device="cuda")
    torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
    return int(least)


def _row_bytes(config: PreTrainedConfig) -> int:
    """Of one row of logits: as computed, in float32, and once more for the logarithm of their sum."""
    return 12 * int(config.vocab_size)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
