"""Attention over a pack of segments: one causal block a segment and one dense block for all its descendants.

Parts are merged by log-sum-exp (`attention`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mplus_eval.inference.attention import KeyValue, Softmax, merge, partial_attention, with_sinks
from mplus_eval.inference.flex import flex_attention_of_pack

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


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
    """Keys and values of the segments that are kept, by layer."""
    n_layers: int = 0
    """Layers computed so far, and so the number of the next one."""
    windows: set[int | None] = field(default_factory=set)
    """The sliding windows that layers named."""
    masks: dict[tuple[int | None, torch.device], BlockMask] = field(default_factory=dict)
    """Of `flex`, by window and device; the same in all layers there."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax) -> Tensor:
        """Attend within the pack.

        Args:
            layer: its number.
            query: (1, heads, tokens, head dimension), in the pack's order.
            key: (1, key heads, tokens, head dimension).
            value: (1, key heads, tokens, value dimension).
            softmax: of the layer.

        Returns:
            (1, tokens, heads, value dimension).
        """
        self.windows.add(softmax.window)
        for segment, (start, stop) in self.kept.items():
            self.new.setdefault(segment, []).append((key[:, :, start:stop].clone(), value[:, :, start:stop].clone()))
        in_one_kernel = query.device.type == "cuda" and query.shape[-1] == value.shape[-1]
        attend = flex_attention_of_pack if in_one_kernel else attention_by_segment
        out, lse = attend(self, layer, query, key, value, softmax)
        sinks = softmax.sinks.view(-1, 1) if softmax.sinks is not None else None
        return with_sinks(out, lse, sinks).transpose(1, 2).contiguous()


def attention_by_segment(
    state: PackState, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax
) -> tuple[Tensor, Tensor]:
    """Every segment on itself, then all descendants of each segment on all of it.

    Returns:
        (1, heads, tokens, value dimension), and the log-sum-exp (1, heads, tokens).
    """
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    lse = query.new_empty(query.shape[:-1], dtype=torch.float32)
    # Layers may lie on several devices.
    positions = state.positions.to(query.device)
    for start, stop, _ in state.blocks:
        mask = None
        if softmax.window is not None and stop - start > softmax.window:
            place = torch.arange(stop - start, device=query.device)
            distance = place[:, None] - place[None]
            mask = (distance >= 0) & (distance < softmax.window)
        tensors = query[:, :, start:stop], key[:, :, start:stop], value[:, :, start:stop]
        # Its first contribution, so nothing is merged.
        out[:, :, start:stop], lse[:, :, start:stop] = partial_attention(
            *tensors, softmax, causal=mask is None, mask=mask
        )
    above = [(0, carried.stop, *carried.layers[layer], carried.positions.to(query.device)) for carried in state.carried]
    above += [
        (stop, end, key[:, :, start:stop], value[:, :, start:stop], positions[start:stop])
        for start, stop, end in state.blocks
        if end > stop
    ]
    for start, stop, keys, values, places in above:
        mask = None
        if softmax.window is not None:
            seen = positions[start:stop, None] - places[None] < softmax.window
            if not bool(seen.any()):
                continue
            mask = None if bool(seen.all()) else seen
        part = partial_attention(query[:, :, start:stop], keys, values, softmax, mask=mask)
        merge(out[:, :, start:stop], lse[:, :, start:stop], *part)
    return out, lse
