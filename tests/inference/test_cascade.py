"""Attention over a pack, against a softmax over all keys that a token sees, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mplus_eval.inference.attention import Softmax
from mplus_eval.inference.cascade import Carried, PackState
from tests.inference.reference import DIMENSION, HEADS, KEY_HEADS, SCALE, random_tensor, softmax_attention

# A pack: segment A (tokens 0 to 3), its children B (4, 5) and C (6 to 8), C's child D (9, 10), and a root E (11 to 13).
BLOCKS = [(0, 4, 11), (4, 6, 6), (6, 9, 11), (9, 11, 11), (11, 14, 14)]
POSITIONS = [0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 0, 1, 2]
PARENT_OF = {0: None, 1: 0, 2: 0, 3: 2, 4: None}


def seen_in_pack(window: int | None) -> Tensor:
    """Who sees whom, from the definition: ancestors and the own past, within the window."""
    segment_of = [number for number, (start, stop, _) in enumerate(BLOCKS) for _ in range(start, stop)]
    seen = torch.zeros(14, 14, dtype=torch.bool)
    for one in range(14):
        line: list[int] = []
        segment: int | None = segment_of[one]
        while segment is not None:
            line.append(segment)
            segment = PARENT_OF[segment]
        for other in range(14):
            distance = POSITIONS[one] - POSITIONS[other]
            seen[one, other] = segment_of[other] in line and distance >= 0 and (window is None or distance < window)
    return seen


@pytest.mark.parametrize("window", [None, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("sinks", [None, torch.tensor([0.5, -1.0, 2.0, 0.0])])
def test_a_pack_is_one_softmax_over_ancestors(window: int | None, softcap: float | None, sinks: Tensor | None) -> None:
    query = random_tensor(1, HEADS, 14, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 14, DIMENSION, seed=seed) for seed in (1, 2))
    state = PackState(BLOCKS, torch.tensor(POSITIONS), [], {})
    out = state.attend(0, query, key, value, Softmax(SCALE, window, softcap, sinks))
    expected, _ = softmax_attention(query, key, value, seen_in_pack(window), softcap, sinks)
    torch.testing.assert_close(out.double(), expected.transpose(1, 2), atol=1e-5, rtol=0)
    assert state.windows == {window}


@pytest.mark.parametrize("window", [None, 3, 5])
def test_what_an_earlier_pack_kept_is_carried_into_the_next(window: int | None) -> None:
    """Two layers, the pack cut after B: A is kept, and C, D and E follow."""
    layers = [[random_tensor(1, heads, 14, DIMENSION, seed=10 * n + heads) for heads in (4, 2, 2)] for n in (1, 2)]
    positions = torch.tensor(POSITIONS)
    first = PackState([(0, 4, 6), (4, 6, 6)], positions[:6], [], {0: (0, 4)})
    for layer, (query, key, value) in enumerate(layers):
        first.attend(layer, query[:, :, :6], key[:, :, :6], value[:, :, :6], Softmax(SCALE, window))
    carried = Carried(first.new[0], positions[:4], stop=5)
    rest = [(start - 6, stop - 6, end - 6) for start, stop, end in BLOCKS[2:]]
    second = PackState(rest, positions[6:], [carried], {})
    for layer, (query, key, value) in enumerate(layers):
        out = second.attend(layer, query[:, :, 6:], key[:, :, 6:], value[:, :, 6:], Softmax(SCALE, window))
        expected, _ = softmax_attention(query, key, value, seen_in_pack(window))
        torch.testing.assert_close(out.double(), expected.transpose(1, 2)[:, 6:], atol=1e-5, rtol=0)
