"""Attention over a pack of segments: one causal block a segment and one dense block for all its descendants.

Partial results over disjoint keys are merged by their log-sum-exp: with o_i the softmax-weighted values over the i-th
keys and l_i the log of the sum of their exponentials, the whole is sum_i exp(l_i - l) o_i with l = logsumexp(l_i). That
is exact, as in FlashAttention (Dao et al., 2205.14135) and cascade inference (Ye et al., FlashInfer, 2501.01005).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from mplus_eval.inference.flex import flex_attention_of_pack

NAME = "mplus_tree"

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of some tokens in one layer, (1, key heads, tokens, head dimension) each."""


@dataclass
class Carried:
    """A segment of an earlier pack, by layer, whose descendants are the first `stop` tokens of this one."""

    layers: list[KeyValue]
    positions: Tensor
    stop: int


@dataclass
class PackState:
    """What attention needs to know of the pack that is being computed."""

    blocks: list[tuple[int, int, int]]
    """Of every segment: first token, token after its last, and token after its last descendant's."""
    positions: Tensor
    carried: list[Carried]
    kept: dict[int, tuple[int, int]]
    """Segments that later packs need, with their tokens."""
    caps: bool = True
    """Whether a layer's cap on its scores is heeded."""
    new: dict[int, list[KeyValue]] = field(default_factory=dict)
    n_layers: int = 0
    """Layers computed so far, and so the number of the next one."""
    windows: set[int | None] = field(default_factory=set)
    """The sliding windows that layers named."""
    masks: dict[int | None, Any] = field(default_factory=dict)
    """Of `flex`, by window; the same in all layers."""


_active: PackState | None = None


@contextmanager
def attending(state: PackState) -> Iterator[None]:
    """Make attention compute this pack inside."""
    global _active
    before, _active = _active, state
    try:
        yield
    finally:
        _active = before


def tree_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **unknown: Any,
) -> tuple[Tensor, None]:
    """Attend within the active pack; called by transformers.

    Args:
        module: the attention layer.
        query: (1, heads, tokens, head dimension), in the pack's order.
        key: (1, key heads, tokens, head dimension).
        value: (1, key heads, tokens, value dimension).
        attention_mask: not needed.
        scaling: of the scores; one over the root of the head dimension when None.
        sliding_window: how many tokens back a token sees, itself included.
        softcap: scores are squashed to ± this.
        s_aux: attention sinks, one logit a head.
        **unknown: what else transformers hands over; a bias of positions is refused.

    Returns:
        (1, tokens, heads, value dimension), and no weights.
    """
    state = _active
    if state is None:
        raise RuntimeError(f"attention {NAME!r} was called outside a pack")
    if unknown.get("position_bias") is not None:
        raise NotImplementedError("a bias of positions")
    layer = state.n_layers
    state.n_layers += 1
    state.windows.add(sliding_window)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    # Layers may lie on several devices.
    positions = state.positions.to(query.device)
    cap = softcap if state.caps else None
    for segment, (start, stop) in state.kept.items():
        state.new.setdefault(segment, []).append((key[:, :, start:stop].clone(), value[:, :, start:stop].clone()))
    merged = _Merged(query, value.shape[-1], positions, scale, sliding_window, cap)
    if query.device.type == "cuda" and query.shape[-1] == value.shape[-1]:
        merged.set(*flex_attention_of_pack(query, key, value, state, layer, scale, sliding_window, cap))
        return merged.result(s_aux), None
    for start, stop, _ in state.blocks:
        merged.own(start, stop, key[:, :, start:stop], value[:, :, start:stop])
    for carried in state.carried:
        merged.below(0, carried.stop, *carried.layers[layer], carried.positions.to(query.device))
    for start, stop, end in state.blocks:
        if end > stop:
            merged.below(stop, end, key[:, :, start:stop], value[:, :, start:stop], positions[start:stop])
    return merged.result(s_aux), None


class _Merged:
    """The result so far, and its log-sum-exp."""

    def __init__(
        self, query: Tensor, dimension: int, positions: Tensor, scale: float, window: int | None, softcap: float | None
    ) -> None:
        self._query, self._positions, self._scale, self._softcap = query, positions, scale, softcap
        self._window = window
        self._out = query.new_empty(*query.shape[:-1], dimension)
        self._lse = query.new_empty(query.shape[:-1], dtype=torch.float32)

    def set(self, out: Tensor, lse: Tensor) -> None:
        """All of it at once."""
        self._out, self._lse = out, lse

    def own(self, start: int, stop: int, key: Tensor, value: Tensor) -> None:
        """A segment on itself; its first contribution, so nothing is merged."""
        query = self._query[:, :, start:stop]
        mask = None
        if self._window is not None and stop - start > self._window:
            place = torch.arange(stop - start, device=query.device)
            distance = place[:, None] - place[None]
            mask = (distance >= 0) & (distance < self._window)
        out, lse = partial_attention(query, key, value, mask is None, self._scale, self._softcap, mask)
        self._out[:, :, start:stop], self._lse[:, :, start:stop] = out, lse

    def below(self, start: int, stop: int, key: Tensor, value: Tensor, positions: Tensor) -> None:
        """The descendants of a segment on all of it."""
        mask = None
        if self._window is not None:
            seen = self._positions[start:stop, None] - positions[None] < self._window
            if not bool(seen.any()):
                return
            mask = None if bool(seen.all()) else seen
        query = self._query[:, :, start:stop]
        out, lse = partial_attention(query, key, value, False, self._scale, self._softcap, mask)
        # The weight of the new part is sigmoid(l_new - l_old); lerp does the rest in one pass.
        weight = torch.sigmoid(lse - self._lse[:, :, start:stop])[..., None].to(out.dtype)
        self._out[:, :, start:stop].lerp_(out, weight)
        torch.logaddexp(self._lse[:, :, start:stop], lse, out=self._lse[:, :, start:stop])

    def result(self, sinks: Tensor | None) -> Tensor:
        """(1, tokens, heads, value dimension); a sink takes its share of the weight and adds nothing."""
        out = self._out
        if sinks is not None:
            out = out * torch.sigmoid(self._lse - sinks.view(1, -1, 1).float())[..., None].to(out.dtype)
        return out.transpose(1, 2).contiguous()


def partial_attention(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, softcap: float | None, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Attention over some of the keys, and the logarithm of the sum of the exponentials of its scores.

    Args:
        query: (1, heads, queries, dimension).
        key: (1, key heads, keys, dimension).
        value: (1, key heads, keys, value dimension).
        causal: query i sees keys up to i; as many queries as keys.
        scale: of the scores.
        softcap: scores are squashed to ± this.
        mask: (queries, keys), which keys a query sees; a query that sees none has a log-sum-exp of -inf.

    Returns:
        (1, heads, queries, value dimension) and (1, heads, queries) in float32.
    """
    if softcap is None and query.device.type == "cpu" and query.shape[-1] == value.shape[-1]:
        return _flash_on_cpu(query, key, value, causal, scale, mask)
    return _by_hand(query, key, value, causal, scale, softcap, mask)


def _flash_on_cpu(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    heads, n, key_heads = query.shape[1], query.shape[2], key.shape[1]
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    if mask is not None:
        bias = torch.zeros(mask.shape, dtype=query.dtype, device=query.device).masked_fill_(~mask, float("-inf"))
        out, lse = flash(query, key, value, 0.0, False, attn_mask=bias[None, None], scale=scale)
        blind = ~mask.any(-1)
        return out.masked_fill(blind[:, None], 0.0), lse.masked_fill(blind, float("-inf"))
    if not causal and heads != key_heads and n * (heads // key_heads) <= 64:
        # Heads that share keys become rows of one: fewer and larger products.
        out, lse = flash(query.reshape(1, key_heads, -1, query.shape[-1]), key, value, 0.0, False, scale=scale)
        return out.reshape(1, heads, n, -1), lse.reshape(1, heads, n)
    out, lse = flash(query, key, value, 0.0, causal, scale=scale)
    return out, lse


def _by_hand(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, scale: float, softcap: float | None, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    (_, heads, n, dimension), (_, key_heads, n_keys, _) = query.shape, key.shape
    grouped = query.reshape(1, key_heads, heads // key_heads * n, dimension)
    scores = (grouped @ key.transpose(-1, -2)).view(1, heads, n, n_keys).float() * scale
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if causal:
        mask = torch.ones(n, n_keys, dtype=torch.bool, device=query.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    lse = torch.logsumexp(scores, -1)
    weights = torch.exp(scores - lse[..., None]).nan_to_num(0.0).to(value.dtype)
    return (weights.view(1, key_heads, -1, n_keys) @ value).view(1, heads, n, -1), lse


AttentionInterface.register(NAME, tree_attention)
