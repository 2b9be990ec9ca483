"""Attention over a pack in one kernel a layer, for accelerators: FlexAttention with a mask of intervals.

In preorder every key is seen by one run of queries: those from its own token on, up to the end of its segment's
subtree; a carried key from the pack's first token on. So two numbers a key are the whole mask, whatever the tree, and
blocks that no query sees are skipped (Dong et al., FlexAttention, 2412.05496).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import AuxOutput

    from mplus_eval.inference.attention import Softmax
    from mplus_eval.inference.cascade import PackState


def flex_attention_of_pack(
    state: PackState, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax
) -> tuple[Tensor, Tensor]:
    """Attend to the carried segments and to the pack's own tokens.

    Args:
        state: of the pack.
        layer: number of the layer, for the carried keys and values.
        query: (1, heads, tokens, head dimension), in the pack's order.
        key: (1, key heads, tokens, head dimension).
        value: (1, key heads, tokens, value dimension).
        softmax: of the layer; sinks are the caller's matter.

    Returns:
        (1, heads, tokens, value dimension), and the log-sum-exp (1, heads, tokens).
    """
    from torch.nn.attention.flex_attention import AuxRequest, create_block_mask

    keys = torch.cat([*(carried.layers[layer][0] for carried in state.carried), key], 2)
    values = torch.cat([*(carried.layers[layer][1] for carried in state.carried), value], 2)
    window, cap = softmax.window, softmax.cap
    # Layers may lie on several devices.
    kind = (window, query.device)
    if kind not in state.masks:
        first, stop, key_positions = (each.to(query.device) for each in seen_by(state))
        positions = state.positions.to(query.device)

        def seen(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            inside = (first[key] <= query) & (query < stop[key])
            return inside if window is None else inside & (positions[query] - key_positions[key] < window)

        n_queries, n_keys = len(positions), len(first)
        state.masks[kind] = create_block_mask(seen, None, None, n_queries, n_keys, device=str(query.device))
    out, aux = _kernel(compiled=query.device.type == "cuda")(
        query,
        keys,
        values,
        score_mod=(lambda score, *_: torch.tanh(score / cap) * cap) if cap is not None else None,
        block_mask=state.masks[kind],
        scale=softmax.scale,
        enable_gqa=query.shape[1] != key.shape[1],
        return_aux=AuxRequest(lse=True),
    )
    assert aux.lse is not None
    return out, aux.lse.float()


def seen_by(state: PackState) -> tuple[Tensor, Tensor, Tensor]:
    """Of every key, carried ones first: the first query that sees it, the one after the last, and its position."""
    first: list[int] = []
    stop: list[int] = []
    for carried in state.carried:
        first += [0] * len(carried.positions)
        stop += [carried.stop] * len(carried.positions)
    for start, end, below in state.blocks:
        first += range(start, end)
        stop += [below] * (end - start)
    positions = torch.cat([*(carried.positions for carried in state.carried), state.positions])
    device = state.positions.device
    return torch.tensor(first, device=device), torch.tensor(stop, device=device), positions


@cache
def _kernel(*, compiled: bool) -> Callable[..., tuple[Tensor, AuxOutput]]:
    from torch.nn.attention import flex_attention

    kernel: Callable[..., tuple[Tensor, AuxOutput]] = flex_attention.flex_attention
    return torch.compile(kernel, dynamic=True) if compiled else kernel
