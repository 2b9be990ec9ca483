"""What is held of a tree of prompts, until when, and as which blocks it is shared."""

from __future__ import annotations

import torch

from mplus_eval.inference.held_segments import HeldSegments
from mplus_eval.inference.tree import Request, build_segments

PREFIX, MIDDLE = tuple(range(300)), tuple(range(300, 600))
ENDS = ((*PREFIX, *MIDDLE, 1), (*PREFIX, *MIDDLE, 2), (*PREFIX, 3))
"""Segments in preorder: 0 the prefix, 1 the end of the third prompt, 2 the middle, 3 and 4 the other two ends."""


def held(prompts: tuple[tuple[int, ...], ...] = ENDS, *, slots: int = 8, longest: int = 1024) -> HeldSegments:
    """All segments computed; keys and values tell their segment by the number that fills them."""
    segments = build_segments([Request(tokens, (0,)) for tokens in prompts], longest)
    segments_held = HeldSegments(segments, slots)
    for index, segment in enumerate(segments):
        key = torch.full((1, 1, len(segment.tokens), 1), float(index))
        segments_held.computed[index] = ([(key, -key)], torch.arange(segment.start, segment.end))
    return segments_held


def test_what_spares_a_step_many_tokens_is_shared() -> None:
    assert held().shared == {0: 3, 2: 2}
    # With one slot there is nobody to share with.
    assert held(slots=1).shared == {}


def test_a_segment_is_held_until_its_last_user_is_done() -> None:
    segments = held()
    assert segments.n_tokens == 603
    segments.release([0, 1])
    segments.release([0, 2, 3])
    assert set(segments.computed) == {0, 2, 4}
    segments.release([0, 2, 4])
    assert segments.n_tokens == 0


def test_slots_read_the_blocks_that_they_share() -> None:
    segments = held()
    blocks = segments.blocks([[0, 2], [0], [0, 2]], {})
    assert {last: (block.start, block.end, block.slots) for last, block in blocks.items()} == {
        0: (0, 300, [0, 1, 2]),
        2: (300, 600, [0, 2]),
    }


def test_segments_with_the_same_users_are_one_block_and_are_held_once() -> None:
    segments = held((*ENDS[:2], ENDS[0]), longest=200)
    blocks = segments.blocks([[0, 1, 2], [0, 1, 2]], {})
    (block,) = blocks.values()
    assert (block.start, block.end, block.slots) == (0, 600, [0, 1])
    key, value = block.layers[0]
    assert key.flatten().tolist() == [0.0] * 200 + [1.0] * 200 + [2.0] * 200
    assert torch.equal(value, -key)
    for index in range(3):
        part = segments.computed[index][0][0][0]
        assert part.untyped_storage().data_ptr() == key.untyped_storage().data_ptr()
        assert bool((part == index).all())


def test_keys_and_values_of_a_block_are_taken_over() -> None:
    segments = held((*ENDS[:2], ENDS[0]), longest=200)
    before = segments.blocks([[0, 1, 2], [0, 1, 2]], {})
    after = segments.blocks([[0, 1, 2]], before)
    assert after[2].layers is before[2].layers
    assert after[2].slots == [0]
    assert segments.blocks([], after) == {}
