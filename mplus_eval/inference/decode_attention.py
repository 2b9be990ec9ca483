"""Attention of one new token a sequence: a dense block over every shared prefix, and every sequence's own tokens.

    slot 0   [ few-shot prefix      ] [ its question | generated ]
    slot 1   [ read once for all    ] [ its question | generated ......... ]
    slot 2   [ slots that share it  ] [ its question | gener ]

What sequences share stands in memory once, and is read once a step for all of them. Their own keys and values lie in
one padded buffer a layer, so that one call covers all slots. Parts are merged by log-sum-exp (`attention`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mplus_eval.inference.attention import (
    KeyValue,
    Softmax,
    flash_on_cpu,
    has_kernel,
    merge,
    partial_attention,
    scaled_scores,
    with_sinks,
)


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

        def grown(layer: int, which: int) -> Tensor:
            example = like[layer][which]
            # Zeros, as padding gets no weight but must not be NaN.
            new = example.new_zeros(rows, example.shape[1], room, example.shape[3])
            if old:
                new[: used.shape[0], :, : used.shape[1]] = old[layer][which]
            return new

        self.positions = used.new_zeros(rows, room)
        self.positions[: used.shape[0], : used.shape[1]] = used
        self.layers = []
        for layer in range(len(like)):
            self.layers.append((grown(layer, 0), grown(layer, 1)))
            if old:
                old[layer] = self.layers[layer]  # frees the smaller one at once

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

    def feed(self, positions: Sequence[int]) -> None:
        """Note the positions of the tokens that every slot is fed next; they count as its own once `lengths` say so."""
        self.positions[range(len(self.lengths)), self.lengths] = torch.tensor(positions)

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


@dataclass
class SharedBlock:
    """Consecutive tokens that several sequences begin with."""

    layers: Sequence[KeyValue]
    start: int
    """Position of the first."""
    slots: list[int]
    """Who attends to it, in ascending order."""

    @property
    def end(self) -> int:
        """Position after the last."""
        return self.start + self.layers[0][0].shape[2]


@dataclass
class Step:
    """What attention needs to know of one step: slot i feeds its token at `positions[i]` (`Slots.feed`)."""

    slots: Slots
    blocks: Sequence[SharedBlock]
    positions: list[int]
    caps: bool = True
    """Whether a layer's cap on its scores is heeded."""
    n_layers: int = 0
    """Layers computed so far, and so the number of the next one."""
    _cached: dict[tuple[object, ...], Tensor] = field(default_factory=dict)
    """Indices and masks, which are the same in all layers."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax) -> Tensor:
        """Put the new keys and values in their slots, and attend to a slot's own tokens and to the blocks it shares.

        Args:
            layer: its number.
            query: (1, heads, slots, head dimension), one token a slot.
            key: (1, key heads, slots, head dimension).
            value: (1, key heads, slots, value dimension).
            softmax: of the layer.

        Returns:
            (1, slots, heads, value dimension).
        """
        keys, values = self.slots.layers[layer]
        heads = key.shape[1]
        if (at := ("places", heads, key.device)) not in self._cached:
            # Where the new keys go in a buffer seen as (rows · heads · room, dimension), (heads · slots).
            heads_of_slots = torch.arange(len(self.slots.lengths)) * heads + torch.arange(heads)[:, None]
            places = heads_of_slots * self.slots.shape[1] + torch.tensor(self.slots.lengths)
            self._cached[at] = places.flatten().to(key.device)
        places = self._cached[at]
        keys.view(-1, key.shape[-1]).index_copy_(0, places, key.reshape(-1, key.shape[-1]))
        values.view(-1, value.shape[-1]).index_copy_(0, places, value.reshape(-1, value.shape[-1]))
        out, lse = attention_in_slots(query, keys, values, self._own_mask(softmax.window, query), softmax)
        for number, block in enumerate(self.blocks):
            mask = self._block_mask(number, softmax.window, query.device)
            if mask is False:
                continue
            rows = self._rows(number, query.device)
            more, more_lse = partial_attention(
                query[:, :, rows], *block.layers[layer], softmax, mask=mask if isinstance(mask, Tensor) else None
            )
            # Views of the result where the slots stand together, else copies that are put back.
            some, some_lse = out[rows], lse[rows]
            merge(some, some_lse, more[0].transpose(0, 1), more_lse[0].transpose(0, 1))
            if isinstance(rows, Tensor):
                out.index_copy_(0, rows, some)
                lse.index_copy_(0, rows, some_lse)
        return with_sinks(out, lse, softmax.sinks)[None]

    def _own_mask(self, window: int | None, like: Tensor) -> Tensor:
        """What is added to the scores of every slot's own tokens, (slots, 1, 1, room)."""
        key = ("own mask", window, like.device, like.dtype)
        if key not in self._cached:
            ends = torch.tensor(self.slots.lengths)[:, None]
            room = max(self.slots.lengths) + 1
            seen = torch.arange(room) <= ends
            if window is not None:
                seen &= torch.tensor(self.positions)[:, None] - self.slots.positions[: len(ends), :room] < window
            mask = torch.zeros(seen.shape, dtype=like.dtype).masked_fill_(~seen, float("-inf"))
            self._cached[key] = mask[:, None, None].to(like.device)
        return self._cached[key]

    def _rows(self, number: int, device: torch.device) -> Tensor | slice:
        """The slots of a block; a slice where they stand together."""
        slots = self.blocks[number].slots
        if slots[-1] - slots[0] + 1 == len(slots):
            return slice(slots[0], slots[-1] + 1)
        key = ("rows", number, device)
        if key not in self._cached:
            self._cached[key] = torch.tensor(slots, device=device)
        return self._cached[key]

    def _block_mask(self, number: int, window: int | None, device: torch.device) -> Tensor | bool:
        """Which tokens of a block its slots see: all (True), none (False) or (slots of it, tokens)."""
        block = self.blocks[number]
        positions = [self.positions[slot] for slot in block.slots]
        if window is None or max(positions) - block.start < window:
            return True
        if min(positions) - (block.end - 1) >= window:
            return False
        key = ("block mask", number, window, device)
        if key not in self._cached:
            places = torch.arange(block.start, block.end)
            self._cached[key] = (torch.tensor(positions)[:, None] - places < window).to(device)
        return self._cached[key]


def attention_in_slots(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, softmax: Softmax
) -> tuple[Tensor, Tensor]:
    """Every slot on its own tokens.

    Args:
        query: (1, heads, slots, dimension).
        keys: (rows, key heads, room, dimension); the first rows are the slots.
        values: (rows, key heads, room, value dimension).
        mask: is added to the scores, (slots, 1, 1, places); what stands in later places is not looked at.
        softmax: of the layer; window and sinks are the caller's matter.

    Returns:
        (slots, heads, value dimension) and the log-sum-exp (slots, heads).
    """
    (_, heads, n, dimension), key_heads, room = query.shape, keys.shape[1], mask.shape[-1]
    # Heads that share keys become rows of one.
    grouped = query[0].transpose(0, 1).reshape(n, key_heads, heads // key_heads, dimension)
    key, value = keys[:n, :, :room], values[:n, :, :room]
    if has_kernel(grouped, value, softmax):
        out, lse = flash_on_cpu(grouped, key, value, softmax.scale, bias=mask)
    else:
        scores = scaled_scores(grouped, key, softmax) + mask
        lse = torch.logsumexp(scores, -1)
        out = torch.exp(scores - lse[..., None]).to(value.dtype) @ value
    return out.reshape(n, heads, -1), lse.reshape(n, heads)
