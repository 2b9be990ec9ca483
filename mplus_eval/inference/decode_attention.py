"""Attention of one new token a sequence: a dense block over every shared prefix, and every sequence's own tokens.

    slot 0   [ few-shot prefix      ] [ its question | generated ]
    slot 1   [ read once for all    ] [ its question | generated ......... ]
    slot 2   [ slots that share it  ] [ its question | gener ]

What sequences share stands in memory once, and is read once a step for all of them. Their own keys and values lie in
one padded buffer a layer, so that one call covers all slots. Parts are merged by log-sum-exp, as in `cascade`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

from mplus_eval.inference.cascade import KeyValue, partial_attention

NAME = "mplus_decode"


class Slots:
    """Keys and values of the sequences that are being generated, one row each; the first `len(lengths)` are in use."""

    def __init__(self) -> None:
        self.layers: list[KeyValue] = []
        """(rows, key heads, room, head dimension) each."""
        self.positions = torch.zeros(0, 0, dtype=torch.long)
        """(rows, room), of the tokens that stand there; never on a device."""
        self.lengths: list[int] = []
        """Tokens of every slot in use."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and room; their product is the number of tokens that the buffers hold."""
        return self.positions.shape[0], self.positions.shape[1]

    def reserve(self, rows: int, room: int, like: Sequence[KeyValue]) -> None:
        """Make the buffers at least so large, shaped as `like`, which has one pair a layer."""
        if rows <= self.shape[0] and room <= self.shape[1]:
            return
        rows, room = max(rows, self.shape[0]), max(room, self.shape[1])
        old, used = self.layers, self.positions
        self.positions = used.new_zeros(rows, room)
        self.positions[: used.shape[0], : used.shape[1]] = used
        self.layers = []
        for layer, pair in enumerate(like):
            key, value = (_grown(old[layer][i] if old else None, rows, room, pair[i]) for i in (0, 1))
            if old:
                old[layer] = (key, value)  # frees the smaller one at once
            self.layers.append((key, value))

    def enter(self, parts: Sequence[tuple[Sequence[KeyValue], Tensor]]) -> None:
        """Give the next slot to a sequence whose own tokens so far are these parts, with their positions."""
        slot, length = len(self.lengths), 0
        for layers, positions in parts:
            stop = length + positions.shape[0]
            self.positions[slot, length:stop] = positions.cpu()
            for (keys, values), (key, value) in zip(self.layers, layers, strict=True):
                keys[slot, :, length:stop] = key[0]
                values[slot, :, length:stop] = value[0]
            length = stop
        self.lengths.append(length)

    def leave(self, slot: int) -> None:
        """Give a slot back; the last one moves there, so that those in use stay together."""
        length = self.lengths.pop()
        last = len(self.lengths)
        if slot == last:
            return
        self.lengths[slot] = length
        self.positions[slot, :length] = self.positions[last, :length]
        for keys, values in self.layers:
            keys[slot, :, :length] = keys[last, :, :length]
            values[slot, :, :length] = values[last, :, :length]


def _grown(old: Tensor | None, rows: int, room: int, like: Tensor) -> Tensor:
    # Zeros, as padding gets no weight but must not be NaN.
    new = like.new_zeros(rows, like.shape[1], room, like.shape[3])
    if old is not None:
        new[: old.shape[0], :, : old.shape[2]] = old
    return new


@dataclass
class SharedBlock:
    """Consecutive tokens that several sequences begin with."""

    layers: Sequence[KeyValue]
    start: int
    """Position of the first."""
    slots: list[int]
    """Who attends to it."""

    @property
    def end(self) -> int:
        """Position after the last."""
        return self.start + self.layers[0][0].shape[2]


@dataclass
class Step:
    """What attention needs to know of one step: slot i feeds its token at `positions[i]`."""

    slots: Slots
    blocks: Sequence[SharedBlock]
    positions: list[int]
    caps: bool = True
    """Whether a layer's cap on its scores is heeded."""
    n_layers: int = 0
    """Layers computed so far, and so the number of the next one."""
    _kept: dict[Any, Any] = field(default_factory=dict)
    """Indices and masks, which are the same in all layers."""

    def __post_init__(self) -> None:
        lengths = self.slots.lengths
        self.room = max(lengths) + 1
        self.slots.positions[range(len(lengths)), lengths] = torch.tensor(self.positions)

    def places(self, heads: int, device: torch.device) -> Tensor:
        """Where the new keys go in a buffer seen as (rows · heads · room, dimension), (heads · slots)."""
        if (known := self._kept.get((heads, device))) is None:
            rows = torch.arange(len(self.slots.lengths)) * heads
            found = (rows + torch.arange(heads)[:, None]) * self.slots.shape[1] + torch.tensor(self.slots.lengths)
            known = self._kept[heads, device] = found.flatten().to(device)
        return known

    def own_mask(self, window: int | None, like: Tensor) -> Tensor:
        """What is added to the scores of every slot's own tokens, (slots, 1, 1, room)."""
        key = ("own", window, like.device, like.dtype)
        if key not in self._kept:
            ends = torch.tensor(self.slots.lengths)[:, None]
            seen = torch.arange(self.room) <= ends
            if window is not None:
                places = self.slots.positions[: len(ends), : self.room]
                seen &= torch.tensor(self.positions)[:, None] - places < window
            mask = torch.zeros(seen.shape, dtype=like.dtype).masked_fill_(~seen, float("-inf"))
            self._kept[key] = mask[:, None, None].to(like.device)
        mask = self._kept[key]
        assert isinstance(mask, Tensor)
        return mask

    def rows(self, number: int, device: torch.device) -> Tensor | slice:
        """The slots of a block; a slice where they stand together."""
        if (known := self._kept.get(("rows", number, device))) is None:
            slots = sorted(self.blocks[number].slots)
            known = slice(slots[0], slots[-1] + 1)
            if len(slots) < known.stop - known.start:
                known = torch.tensor(slots, device=device)
            self._kept["rows", number, device] = known
        return known

    def block_mask(self, number: int, window: int | None, device: torch.device) -> Tensor | bool:
        """Which tokens of a block its slots see: all (True), none (False) or (slots of it, tokens)."""
        block = self.blocks[number]
        positions = [self.positions[slot] for slot in sorted(block.slots)]
        if window is None or max(positions) - block.start < window:
            return True
        if min(positions) - (block.end - 1) >= window:
            return False
        key = ("block", number, window, device)
        if key not in self._kept:
            places = torch.arange(block.start, block.end)
            self._kept[key] = (torch.tensor(positions)[:, None] - places < window).to(device)
        mask = self._kept[key]
        assert isinstance(mask, Tensor)
        return mask


_active: Step | None = None


@contextmanager
def stepping(step: Step) -> Iterator[None]:
    """Make attention compute this step inside."""
    global _active
    before, _active = _active, step
    try:
        yield
    finally:
        _active = before


def decode_attention(
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
    """Attend within the active step; called by transformers. The arguments are those of `cascade.tree_attention`.

    Args:
        module: the attention layer.
        query: (1, heads, slots, head dimension), one token a slot.
        key: (1, key heads, slots, head dimension).
        value: (1, key heads, slots, value dimension).
        attention_mask: not needed.
        scaling: of the scores; one over the root of the head dimension when None.
        sliding_window: how many tokens back a token sees, itself included.
        softcap: scores are squashed to ± this.
        s_aux: attention sinks, one logit a head.
        **unknown: what else transformers hands over; a bias of positions is refused.

    Returns:
        (1, slots, heads, value dimension), and no weights.
    """
    step = _active
    if step is None:
        raise RuntimeError(f"attention {NAME!r} was called outside a step")
    if unknown.get("position_bias") is not None:
        raise NotImplementedError("a bias of positions")
    layer = step.n_layers
    step.n_layers += 1
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    softcap = softcap if step.caps else None
    keys, values = step.slots.layers[layer]
    places = step.places(key.shape[1], key.device)
    keys.view(-1, key.shape[-1]).index_copy_(0, places, key.reshape(-1, key.shape[-1]))
    values.view(-1, value.shape[-1]).index_copy_(0, places, value.reshape(-1, value.shape[-1]))
    out, lse = _own(query, keys, values, step.own_mask(sliding_window, query), scale, softcap)
    for number, block in enumerate(step.blocks):
        mask = step.block_mask(number, sliding_window, query.device)
        if mask is False:
            continue
        rows = step.rows(number, query.device)
        more, more_lse = partial_attention(
            query[:, :, rows], *block.layers[layer], False, scale, softcap, mask if isinstance(mask, Tensor) else None
        )
        _merge(out, lse, rows, more[0].transpose(0, 1), more_lse[0].transpose(0, 1))
    if s_aux is not None:
        out = out * torch.sigmoid(lse - s_aux.float())[..., None].to(out.dtype)
    return out[None], None


def _merge(out: Tensor, lse: Tensor, rows: Tensor | slice, more: Tensor, more_lse: Tensor) -> None:
    """Merge a block's part, (slots of it, heads, dimension), into the result of all slots."""
    weight = torch.sigmoid(more_lse - lse[rows])[..., None].to(out.dtype)
    if isinstance(rows, slice):
        out[rows].lerp_(more, weight)
        lse[rows] = torch.logaddexp(lse[rows], more_lse)
    else:
        out.index_copy_(0, rows, torch.lerp(out[rows], more, weight))
        lse.index_copy_(0, rows, torch.logaddexp(lse[rows], more_lse))


def _own(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, scale: float, softcap: float | None
) -> tuple[Tensor, Tensor]:
    """Every slot on its own tokens: (slots, heads, value dimension) and the log-sum-exp (slots, heads)."""
    (_, heads, n, dimension), key_heads, room = query.shape, keys.shape[1], mask.shape[-1]
    # Heads that share keys become rows of one.
    grouped = query[0].transpose(0, 1).reshape(n, key_heads, heads // key_heads, dimension)
    key, value = keys[:n, :, :room], values[:n, :, :room]
    if softcap is None and query.device.type == "cpu" and dimension == value.shape[-1]:
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        out, lse = flash(grouped, key, value, 0.0, False, attn_mask=mask, scale=scale)
    else:
        scores = (grouped @ key.transpose(-1, -2)).float() * scale
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        scores = scores + mask
        lse = torch.logsumexp(scores, -1)
        out = torch.exp(scores - lse[..., None]).to(value.dtype) @ value
    return out.reshape(n, heads, -1), lse.reshape(n, heads)


AttentionInterface.register(NAME, decode_attention)
