"""Requests as a tree of token prefixes, cut into segments and laid out so that every subtree is one contiguous slice.

    requests            segments in preorder            packs of at most 8 tokens

    a b c d e           0  a b c    root                0 1 2      a b c d e f g
    a b c f g           1  d e      child of 0          3          h i      (a b c is carried from the first pack)
    a b c h i           2  f g      child of 0
                        3  h i      child of 0

No token stands twice where two requests share all tokens up to it. In preorder the descendants of a segment follow it
directly, so attention needs no mask: a segment attends causally to itself, and all its descendants, one slice, attend
to all of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

LONGEST_SEGMENT = 1024
"""Longer segments are cut, so that a pack is never much larger than its budget."""


class Request(NamedTuple):
    """Input tokens, and the tokens that are to be scored after the last `len(targets)` of them."""

    inputs: tuple[int, ...]
    targets: tuple[int, ...]


class Row(NamedTuple):
    """A position whose logits are needed: there `request` goes on with `target`."""

    position: int
    request: int
    target: int


@dataclass
class Segment:
    """Tokens that all requests below it share."""

    tokens: tuple[int, ...]
    start: int
    """Position of the first token in its requests."""
    parent: int
    """Index of the segment before it; -1 for a root."""
    last: int = -1
    """Index of its last descendant, or its own."""
    rows: list[Row] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Position after the last token."""
        return self.start + len(self.tokens)


def build_segments(requests: Sequence[Request], longest: int = LONGEST_SEGMENT) -> list[Segment]:
    """Build the tree of all requests, in preorder.

    Args:
        requests: with at least as many input tokens as targets each.
        longest: tokens of a segment; a longer one becomes a chain.
    """
    order = sorted(range(len(requests)), key=lambda index: requests[index].inputs)
    inputs = [requests[index].inputs for index in order]
    shared = [0, *(common_length(before, after) for before, after in pairwise(inputs))]
    segments: list[Segment] = []
    groups = [(0, len(order), 0, -1)] if order else []
    while groups:
        low, high, depth, parent = groups.pop()
        end = min(shared[low + 1 : high], default=len(inputs[low]))
        while depth < end:
            segments.append(Segment(inputs[low][depth : min(end, depth + longest)], depth, parent))
            parent, depth = len(segments) - 1, segments[-1].end
        starts = [low, *(place for place in range(low + 1, high) if shared[place] == end), high]
        children = list(pairwise(starts))
        for start, _ in children:
            if len(inputs[start]) == end:
                _note_rows(segments, parent, requests[order[start]], order[start])
        groups += [(start, stop, end, parent) for start, stop in reversed(children) if len(inputs[start]) > end]
    for index in range(len(segments) - 1, -1, -1):
        segments[index].last = max(segments[index].last, index)
        if (parent := segments[index].parent) >= 0:
            segments[parent].last = max(segments[parent].last, segments[index].last)
    return segments


def build_packs(segments: Sequence[Segment], max_tokens: int, max_rows: int) -> Iterator[range]:
    """Cut the segments into packs that are computed at once, each with one segment at least.

    Args:
        segments: in preorder.
        max_tokens: of a pack, and so what one forward computes.
        max_rows: positions of a pack whose logits are needed.
    """
    first = n_tokens = n_rows = 0
    for index, segment in enumerate(segments):
        tokens, rows = len(segment.tokens), len({row.position for row in segment.rows})
        if index > first and (n_tokens + tokens > max_tokens or n_rows + rows > max_rows):
            yield range(first, index)
            first, n_tokens, n_rows = index, 0, 0
        n_tokens, n_rows = n_tokens + tokens, n_rows + rows
    if segments:
        yield range(first, len(segments))


def count_tokens(segments: Sequence[Segment], indices: Iterable[int]) -> int:
    """Tokens of some of the segments."""
    return sum(len(segments[index].tokens) for index in indices)


def count_distinct(inputs: Iterable[Sequence[Hashable]]) -> int:
    """Tokens that a tree of these inputs holds, without building it: whatever two of them begin with counts once."""
    ordered = sorted(map(tuple, inputs))
    shared = sum(common_length(before, after) for before, after in pairwise(ordered))
    return sum(map(len, ordered)) - shared


def ancestors(segments: Sequence[Segment], index: int) -> list[int]:
    """The segments above one, from the root down."""
    upwards = []
    while (index := segments[index].parent) >= 0:
        upwards.append(index)
    return upwards[::-1]


def _note_rows(segments: Sequence[Segment], index: int, request: Request, number: int) -> None:
    """Note every scored position in the segment where it stands; the request's last token is the last of `index`."""
    position = len(request.inputs)
    for target in reversed(request.targets):
        position -= 1
        while segments[index].start > position:
            index = segments[index].parent
        segments[index].rows.append(Row(position, number, target))


def common_length(first: tuple[Hashable, ...], second: tuple[Hashable, ...]) -> int:
    """Length of the common beginning; slices are compared in C, so halving beats a loop."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
