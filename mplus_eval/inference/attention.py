"""The seam to transformers: one attention function for whatever is being computed, and attention over some of the keys.

A forward computes a pack of segments (`cascade`) or a step of sequences (`decode_attention`). Either attends to its
keys part by part. Results over disjoint keys are merged by their log-sum-exp: with o_i the softmax-weighted values over
the i-th keys and l_i the log of the sum of their exponentials, the whole is sum_i exp(l_i - l) o_i with
l = logsumexp(l_i). That is exact, as in FlashAttention (Dao et al., 2205.14135) and cascade inference (Ye et al.,
FlashInfer, 2501.01005).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "mplus_eval"

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of some tokens in one layer, (1, key heads, tokens, head dimension) each."""


@dataclass(frozen=True)
class Softmax:
    """How a layer turns scores into weights."""

    scale: float
    """Of the scores."""
    window: int | None = None
    """How many tokens back a token sees, itself included."""
    cap: float | None = None
    """Scores are squashed to ± this."""
    sinks: Tensor | None = None
    """Attention sinks, one logit a head."""


class Computation(Protocol):
    """What one forward computes, and what attention needs to know of it."""

    caps: bool
    """Whether a layer's cap on its scores is heeded."""
    n_layers: int
    """Layers computed so far, and so the number of the next one."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax) -> Tensor:
        """The result of one layer, (1, tokens, heads, value dimension)."""


_active: Computation | None = None


@contextmanager
def attending(computation: Computation) -> Iterator[None]:
    """Make attention compute this inside."""
    global _active
    before, _active = _active, computation
    try:
        yield
    finally:
        _active = before


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **unknown: object,
) -> tuple[Tensor, None]:
    """Attend within the active computation; called by transformers, which dictates the signature.

    Args:
        module: the attention layer.
        query: (1, heads, tokens, head dimension), in the computation's order.
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
    if _active is None:
        raise RuntimeError(f"attention {NAME!r} was called outside a pack or a step")
    if unknown.get("position_bias") is not None:
        raise NotImplementedError("a bias of positions")
    layer = _active.n_layers
    _active.n_layers += 1
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    softmax = Softmax(scale, sliding_window, softcap if _active.caps else None, s_aux)
    return _active.attend(layer, query, key, value, softmax), None


def partial_attention(
    query: Tensor, key: Tensor, value: Tensor, softmax: Softmax, *, causal: bool = False, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attention over some of the keys, and the logarithm of the sum of the exponentials of its scores.

    Args:
        query: (1, heads, queries, dimension).
        key: (1, key heads, keys, dimension).
        value: (1, key heads, keys, value dimension).
        softmax: of the layer; window and sinks are the caller's matter.
        causal: query i sees keys up to i; as many queries as keys.
        mask: (queries, keys), which keys a query sees; a query that sees none has a log-sum-exp of -inf.

    Returns:
        (1, heads, queries, value dimension) and (1, heads, queries) in float32.
    """
    if has_kernel(query, value, softmax):
        return _by_kernel(query, key, value, softmax.scale, causal, mask)
    (_, heads, n, dimension), (_, key_heads, n_keys, _) = query.shape, key.shape
    # Heads that share keys become rows of one.
    grouped = query.reshape(1, key_heads, heads // key_heads * n, dimension)
    scores = scaled_scores(grouped, key, softmax).view(1, heads, n, n_keys)
    if causal:
        mask = torch.ones(n, n_keys, dtype=torch.bool, device=query.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    lse = torch.logsumexp(scores, -1)
    weights = torch.exp(scores - lse[..., None]).nan_to_num(0.0).to(value.dtype)
    return (weights.view(1, key_heads, -1, n_keys) @ value).view(1, heads, n, -1), lse


def has_kernel(query: Tensor, value: Tensor, softmax: Softmax) -> bool:
    """Whether `flash_on_cpu` can compute this: it knows no caps, and no values of another width than keys."""
    return softmax.cap is None and query.device.type == "cpu" and query.shape[-1] == value.shape[-1]


def flash_on_cpu(
    query: Tensor, key: Tensor, value: Tensor, scale: float, *, causal: bool = False, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """PyTorch's kernel behind `scaled_dot_product_attention`, which alone does not tell the log-sum-exp.

    Args:
        query: (batch, heads, queries, dimension).
        key: (batch, key heads, keys, dimension).
        value: as `key`.
        scale: of the scores.
        causal: query i sees keys up to i.
        bias: is added to the scores.
    """
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, lse = kernel(query, key, value, 0.0, causal, attn_mask=bias, scale=scale)
    return out, lse


def _by_kernel(
    query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    heads, n, key_heads = query.shape[1], query.shape[2], key.shape[1]
    if mask is not None:
        bias = torch.zeros(mask.shape, dtype=query.dtype, device=query.device).masked_fill_(~mask, float("-inf"))
        out, lse = flash_on_cpu(query, key, value, scale, bias=bias[None, None])
        blind = ~mask.any(-1)
        return out.masked_fill(blind[:, None], 0.0), lse.masked_fill(blind, float("-inf"))
    if not causal and heads != key_heads and n * (heads // key_heads) <= 64:
        # Heads that share keys become rows of one: fewer and larger products.
        out, lse = flash_on_cpu(query.reshape(1, key_heads, -1, query.shape[-1]), key, value, scale)
        return out.reshape(1, heads, n, -1), lse.reshape(1, heads, n)
    return flash_on_cpu(query, key, value, scale, causal=causal)


def scaled_scores(query: Tensor, key: Tensor, softmax: Softmax) -> Tensor:
    """Scores in float32, scaled and capped, (batch, key heads, rows, keys)."""
    scores = (query @ key.transpose(-1, -2)).float() * softmax.scale
    return scores if softmax.cap is None else torch.tanh(scores / softmax.cap) * softmax.cap


def merge(out: Tensor, lse: Tensor, more: Tensor, more_lse: Tensor) -> None:
    """Merge the result over other keys into this one, in place; `lse` has one dimension less than `out`."""
    # The weight of the new part is sigmoid(l_new - l_old); lerp does the rest in one pass.
    weight = torch.sigmoid(more_lse - lse)[..., None].to(out.dtype)
    out.lerp_(more, weight)
    torch.logaddexp(lse, more_lse, out=lse)


def with_sinks(out: Tensor, lse: Tensor, sinks: Tensor | None) -> Tensor:
    """The result where sinks, shaped to fit `lse`, take their share of the weight and add nothing."""
    return out if sinks is None else out * torch.sigmoid(lse - sinks.float())[..., None].to(out.dtype)


def heeds_caps(model: PreTrainedModel) -> bool:
    """Whether plain forwards heed a layer's cap on its scores: PyTorch's own kernel does not know it."""
    return _implementation(model) != "sdpa"


@contextmanager
def own_attention(model: PreTrainedModel) -> Iterator[None]:
    """The model with `attention` for its own inside.

    Raises:
        NotImplementedError: when the model's attention is its own and cannot be exchanged.
    """
    before = _implementation(model)
    model.set_attn_implementation(NAME)
    try:
        # Where it cannot be exchanged, transformers only warns.
        if _implementation(model) != NAME:
            raise NotImplementedError("attention of its own, which cannot be exchanged")
        yield
    finally:
        model.set_attn_implementation(before)


def _implementation(model: PreTrainedModel) -> str:
    # What `set_attn_implementation` sets can be read under a private name only.
    name: str = model.config._attn_implementation
    return name


AttentionInterface.register(NAME, attention)
