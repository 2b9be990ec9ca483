"""Attention from its definition, in float64, to hold kernels and merges against."""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = 0.4
HEADS, KEY_HEADS, DIMENSION = 4, 2, 8


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2


def softmax_attention(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, cap: float | None = None, sinks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax over the keys that `seen` (queries, keys) allows, and the log-sum-exp, in float64."""
    query, key, value = query.double(), key.double(), value.double()
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = query @ key.transpose(-1, -2) * SCALE
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    weights = torch.where(seen, scores.exp(), 0.0)
    total = weights.sum(-1, keepdim=True)
    share = total if sinks is None else total + sinks.double().exp().view(1, -1, 1, 1)
    return torch.where(total > 0, weights / share, 0.0) @ value, total.log()[..., 0]
