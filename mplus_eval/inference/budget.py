"""How much is computed at once: found from the memory that is free, halved when it does not suffice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_FEWEST_TOKENS, _FEWEST_ROWS = 64, 16
_TOKENS_OF_AN_ITEM = 64
_ON_CPU = 1024
"""Tokens of a pack: more do not make a processor faster, and take its caches."""
_MOST_ON_CUDA = 16384
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
    """What fits the free memory of a model's device: a quarter each for tokens, logits, and generation's cache."""
    config = model.config.get_text_config()
    if model.device.type != "cuda":
        return Budget(rows=_between(_FEWEST_ROWS, _ROW_BYTES // _row_bytes(config), 1024))
    import torch

    free, _ = torch.cuda.mem_get_info(model.device)
    share = int(free) // 4
    width, layers = config.hidden_size, config.num_hidden_layers
    inner = max(getattr(config, "intermediate_size", None) or 4 * width, width)
    size = model.dtype.itemsize
    heads = getattr(config, "num_attention_heads", None) or 1
    head = getattr(config, "head_dim", None) or width // heads
    # Keys and values of one token in all layers.
    per_token = 2 * size * int(head) * int(getattr(config, "num_key_value_heads", None) or heads) * layers
    # Of one layer at a time: the widest intermediate three times over, hidden states and queries six times.
    active = size * (3 * inner + 6 * width) + per_token
    return Budget(
        tokens=_between(_FEWEST_TOKENS, share // active, _MOST_ON_CUDA),
        rows=_between(_FEWEST_ROWS, share // _row_bytes(config), 8192),
        slots=256,
        cached=max(_FEWEST_TOKENS, share // per_token),
    )


def _row_bytes(config: PreTrainedConfig) -> int:
    """Of one row of logits: as computed, in float32, and once more for the logarithm of their sum."""
    return 12 * int(config.vocab_size)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))
