"""Keys and values of computed segments, held while sequences need them, and the shared blocks that are made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from mplus_eval.inference.attention import KeyValue
from mplus_eval.inference.decode_attention import SharedBlock
from mplus_eval.inference.tree import Segment, count_tokens

WORTH_SHARING = 256
"""A segment stands in a shared block where that spares a step so many tokens, else in every slot that needs it."""


class HeldSegments:
    """What stands in memory of the tree of prompts."""

    def __init__(self, segments: Sequence[Segment], slots: int) -> None:
        """Count who needs which segment.

        Args:
            segments: in preorder, with a row for every prompt that ends there.
            slots: sequences that are fed at once, at most.
        """
        self.segments = segments
        self.computed: dict[int, tuple[list[KeyValue], Tensor]] = {}
        """Keys and values by layer, and positions, of every segment that is held."""
        self._users: Counter[int] = Counter()
        """Sequences that still need a segment's keys and values, in a later pack, to enter, or at every step."""
        for index in range(len(segments) - 1, -1, -1):
            self._users[index] += len(segments[index].rows)
            if (parent := segments[index].parent) >= 0:
                self._users[parent] += self._users[index]
        self.shared = {
            index: self._users[index]
            for index, segment in enumerate(segments)
            if len(segment.tokens) * (min(self._users[index], slots) - 1) >= WORTH_SHARING
        }
        """The segments that are read as a block of their own, with the number of all their users."""

    @property
    def n_tokens(self) -> int:
        """Tokens whose keys and values are held."""
        return count_tokens(self.segments, self.computed)

    def release(self, indices: Iterable[int]) -> None:
        """One sequence less needs these segments."""
        for index in indices:
            self._users[index] -= 1
            if not self._users[index]:
                del self.computed[index]

    def blocks(self, readers: Sequence[Sequence[int]], before: Mapping[int, SharedBlock]) -> dict[int, SharedBlock]:
        """Who reads which shared block.

        Args:
            readers: of every slot, its shared segments from the root.
            before: the blocks so far, whose keys and values are taken over.

        Returns:
            The blocks by their last segment.
        """
        blocks: dict[int, SharedBlock] = {}
        for slot, shared in enumerate(readers):
            # Consecutive segments that the same sequences share are one block.
            chains: list[list[int]] = []
            for index in shared:
                above = chains[-1][-1] if chains else -1
                follows = bool(chains) and self.segments[index].parent == above
                if follows and self.shared[above] == self.shared[index]:
                    chains[-1].append(index)
                else:
                    chains.append([index])
            for chain in chains:
                last = chain[-1]
                if last not in blocks:
                    layers = before[last].layers if last in before else self._joined(chain)
                    blocks[last] = SharedBlock(layers, self.segments[chain[0]].start, [])
                blocks[last].slots.append(slot)
        return blocks

    def _joined(self, chain: Sequence[int]) -> list[KeyValue]:
        """Keys and values of a chain as one; its segments become views, so that nothing is held twice."""
        if len(chain) == 1:
            return self.computed[chain[0]][0]
        parts = [self.computed[index] for index in chain]
        layers = [
            (torch.cat([key for key, _ in pairs], 2), torch.cat([value for _, value in pairs], 2))
            for pairs in zip(*(layers for layers, _ in parts), strict=True)
        ]
        begin = 0
        for index, (_, positions) in zip(chain, parts, strict=True):
            end = begin + len(positions)
            views = [(key[:, :, begin:end], value[:, :, begin:end]) for key, value in layers]
            self.computed[index] = (views, positions)
            begin = end
        return layers
