"""Attention of one step, against a softmax over all keys of each sequence in float64, and the slots that it reads."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mplus_eval.inference.attention import KeyValue, Softmax
from mplus_eval.inference.decode_attention import SharedBlock, Slots, Step
from tests.inference.reference import DIMENSION, HEADS, KEY_HEADS, SCALE, random_tensor, softmax_attention

N_LAYERS = 2


def layers_of(n_tokens: int, seed: int, value_dimension: int = DIMENSION) -> list[KeyValue]:
    """Keys and values of some tokens in every layer."""
    return [
        (
            random_tensor(1, KEY_HEADS, n_tokens, DIMENSION, seed=1000 * layer + seed),
            random_tensor(1, KEY_HEADS, n_tokens, value_dimension, seed=1000 * layer + seed + 500),
        )
        for layer in range(N_LAYERS)
    ]


@dataclass
class Sequence:
    """A sequence: the blocks that it begins with, and tokens of its own after them."""

    blocks: list[int]
    n_own: int


def contents(slots: Slots, slot: int) -> tuple[list[int], list[KeyValue]]:
    """Positions, keys and values that stand in a slot."""
    length = slots.lengths[slot]
    return slots.positions[slot, :length].tolist(), [
        (key[slot, :, :length], value[slot, :, :length]) for key, value in slots.layers
    ]


def test_slots_grow_and_keep_what_stands_in_them() -> None:
    slots, first, second = Slots(), layers_of(3, 1), layers_of(2, 2)
    slots.reserve(1, 5, first)
    slots.enter([(first, torch.arange(3)), (second, torch.arange(3, 5))])
    slots.reserve(3, 4, first)
    assert slots.shape == (3, 5)
    positions, layers = contents(slots, 0)
    assert positions == [0, 1, 2, 3, 4]
    for (key, value), *parts in zip(layers, first, second, strict=True):
        assert torch.equal(key, torch.cat([part[0][0] for part in parts], 1))
        assert torch.equal(value, torch.cat([part[1][0] for part in parts], 1))
    # Padding gets no weight but must not be NaN.
    assert all(bool((tensor[1:] == 0).all()) for pair in slots.layers for tensor in pair)


def test_who_leaves_makes_room_for_the_last() -> None:
    slots = Slots()
    slots.reserve(3, 4, layers_of(1, 0))
    sequences = [layers_of(n, seed=n) for n in (1, 2, 3)]
    for layers in sequences:
        slots.enter([(layers, torch.arange(layers[0][0].shape[2]))])
    slots.leave(0)
    assert slots.lengths == [3, 2]
    for (key, value), (expected, expected_value) in zip(contents(slots, 0)[1], sequences[2], strict=True):
        assert torch.equal(key, expected[0])
        assert torch.equal(value, expected_value[0])
    slots.leave(1)
    assert slots.lengths == [3]


def test_what_is_fed_counts_afterwards() -> None:
    slots = Slots()
    slots.reserve(2, 4, layers_of(1, 0))
    for n in (1, 2):
        slots.enter([(layers_of(n, n), torch.arange(n))])
    slots.feed([7, 9])
    assert slots.lengths == [1, 2]
    slots.lengths = [2, 3]
    assert slots.lengths == [2, 3]
    assert [contents(slots, slot)[0] for slot in (0, 1)] == [[0, 7], [0, 1, 9]]


SHARED = {0: (0, 6), 1: (6, 4)}
"""Two blocks: where each begins, and how many tokens it has."""
APART = [Sequence([0, 1], 3), Sequence([], 5), Sequence([0], 1), Sequence([0, 1], 2)]
TOGETHER = [Sequence([0, 1], 3), Sequence([0, 1], 1), Sequence([0], 4), Sequence([], 2)]


def stepped(
    sequences: list[Sequence], softmax: Softmax, *, value_dimension: int = DIMENSION
) -> tuple[list[Tensor], list[Tensor]]:
    """Two steps through two layers: what `Step` says and what the definition says, layer by layer."""
    blocks = {
        number: SharedBlock(layers_of(n, number, value_dimension), start, []) for number, (start, n) in SHARED.items()
    }
    slots = Slots()
    slots.reserve(len(sequences), 9, layers_of(1, 0, value_dimension))
    whole: list[list[KeyValue]] = []
    for slot, sequence in enumerate(sequences):
        begin = sum(SHARED[number][1] for number in sequence.blocks)
        own = layers_of(sequence.n_own, 10 + slot, value_dimension)
        slots.enter([(own, torch.arange(begin, begin + sequence.n_own))])
        for number in sequence.blocks:
            blocks[number].slots.append(slot)
        parts = [*(blocks[number].layers for number in sequence.blocks), own]
        whole.append([joined([part[layer] for part in parts]) for layer in range(N_LAYERS)])
    outputs, expected = [], []
    for n_step in range(2):
        positions = [whole[slot][0][0].shape[2] for slot in range(len(sequences))]
        slots.feed(positions)
        step = Step(slots, list(blocks.values()), positions)
        for layer in range(N_LAYERS):
            seed = 100 * n_step + layer
            query = random_tensor(1, HEADS, len(sequences), DIMENSION, seed=seed)
            key = random_tensor(1, KEY_HEADS, len(sequences), DIMENSION, seed=seed + 7)
            value = random_tensor(1, KEY_HEADS, len(sequences), value_dimension, seed=seed + 13)
            outputs.append(step.attend(layer, query, key, value, softmax)[0])
            rows = []
            for slot in range(len(sequences)):
                new = key[:, :, slot : slot + 1], value[:, :, slot : slot + 1]
                whole[slot][layer] = joined([whole[slot][layer], new])
                distance = positions[slot] - torch.arange(positions[slot] + 1)[None]
                seen = torch.ones_like(distance, dtype=torch.bool)
                if softmax.window is not None:
                    seen = distance < softmax.window
                own_query = query[:, :, slot : slot + 1]
                out, _ = softmax_attention(own_query, *whole[slot][layer], seen, softmax.cap, softmax.sinks)
                rows.append(out[0, :, 0])
            expected.append(torch.stack(rows))
        slots.lengths = [length + 1 for length in slots.lengths]
    return outputs, expected


def joined(parts: list[KeyValue]) -> KeyValue:
    return torch.cat([key for key, _ in parts], 2), torch.cat([value for _, value in parts], 2)


@pytest.mark.parametrize("sequences", [APART, TOGETHER], ids=["apart", "together"])
@pytest.mark.parametrize("window", [None, 1, 4, 8, 12])
@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("sinks", [None, torch.tensor([0.5, -1.0, 2.0, 0.0])])
def test_a_step_is_one_softmax_over_all_of_a_sequence(
    sequences: list[Sequence], window: int | None, cap: float | None, sinks: Tensor | None
) -> None:
    for out, expected in zip(*stepped(sequences, Softmax(SCALE, window, cap, sinks)), strict=True):
        torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)


def test_values_of_another_width_than_keys() -> None:
    for out, expected in zip(*stepped(APART, Softmax(SCALE), value_dimension=5), strict=True):
        torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
