"""The tree of requests, against small trees worked out by hand and against what defines one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_eval.inference.tree import Request, Row, Segment, ancestors, build_packs, build_segments, common_length


def request(inputs: str, targets: str) -> Request:
    """A letter a token."""
    return Request(tuple(map(ord, inputs)), tuple(map(ord, targets)))


def shape(segments: Sequence[Segment]) -> list[tuple[str, int, int, int]]:
    """Tokens, position of the first, parent and last descendant."""
    return [("".join(map(chr, one.tokens)), one.start, one.parent, one.last) for one in segments]


def test_the_tree_of_the_drawing() -> None:
    segments = build_segments([request(f"abc{end}", "x") for end in ("de", "fg", "hi")])
    assert shape(segments) == [("abc", 0, -1, 3), ("de", 3, 0, 1), ("fg", 3, 0, 2), ("hi", 3, 0, 3)]
    assert list(build_packs(segments, 8, 100)) == [range(0, 3), range(3, 4)]


def test_requests_that_share_nothing_are_roots() -> None:
    segments = build_segments([request("ba", "x"), request("ab", "y")])
    assert shape(segments) == [("ab", 0, -1, 0), ("ba", 0, -1, 1)]
    assert [one.rows for one in segments] == [[Row(1, 1, ord("y"))], [Row(1, 0, ord("x"))]]


def test_the_same_request_twice_is_computed_once_and_scored_twice() -> None:
    segments = build_segments([request("abc", "x"), request("abc", "x"), request("abc", "y")])
    assert shape(segments) == [("abc", 0, -1, 0)]
    assert sorted(segments[0].rows) == [Row(2, 0, ord("x")), Row(2, 1, ord("x")), Row(2, 2, ord("y"))]


def test_a_request_that_another_begins_with_ends_inside_the_tree() -> None:
    segments = build_segments([request("abcd", "z"), request("ab", "y")])
    assert shape(segments) == [("ab", 0, -1, 1), ("cd", 2, 0, 1)]
    assert [one.rows for one in segments] == [[Row(1, 1, ord("y"))], [Row(3, 0, ord("z"))]]


def test_scored_positions_lie_in_every_segment_that_holds_them() -> None:
    # The context is "a"; of "bcde" all but the last token are inputs, and "abc" is shared.
    segments = build_segments([request("abcd", "bcde"), request("abcf", "g")])
    assert shape(segments) == [("abc", 0, -1, 2), ("d", 3, 0, 1), ("f", 3, 0, 2)]
    assert sorted(segments[0].rows) == [Row(0, 0, ord("b")), Row(1, 0, ord("c")), Row(2, 0, ord("d"))]
    assert segments[1].rows == [Row(3, 0, ord("e"))]
    assert segments[2].rows == [Row(3, 1, ord("g"))]


def test_long_segments_become_a_chain() -> None:
    segments = build_segments([request("abcdefg", "gh"), request("abcdexy", "z")], longest=2)
    assert shape(segments) == [
        ("ab", 0, -1, 4),
        ("cd", 2, 0, 4),
        ("e", 4, 1, 4),
        ("fg", 5, 2, 3),
        ("xy", 5, 2, 4),
    ]
    assert segments[3].rows == [Row(6, 0, ord("h")), Row(5, 0, ord("g"))]
    assert ancestors(segments, 4) == [0, 1, 2]
    assert ancestors(segments, 0) == []


def test_a_node_below_another_node() -> None:
    segments = build_segments([request("abcx", "1"), request("abcy", "2"), request("abz", "3"), request("q", "4")])
    assert shape(segments) == [
        ("ab", 0, -1, 4),
        ("c", 2, 0, 3),
        ("x", 3, 1, 2),
        ("y", 3, 1, 3),
        ("z", 2, 0, 4),
        ("q", 0, -1, 5),
    ]


def test_no_requests_need_nothing() -> None:
    assert build_segments([]) == []
    assert list(build_packs([], 8, 8)) == []


@pytest.mark.parametrize(
    ("tokens", "rows", "packs"),
    [
        (100, 100, [range(0, 4)]),
        (5, 100, [range(0, 2), range(2, 4)]),
        (2, 100, [range(0, 1), range(1, 2), range(2, 3), range(3, 4)]),
        # One row each but the first; a position that two requests score counts once.
        (100, 2, [range(0, 3), range(3, 4)]),
        (1, 1, [range(0, 1), range(1, 2), range(2, 3), range(3, 4)]),
    ],
)
def test_packs_keep_to_tokens_and_rows(tokens: int, rows: int, packs: list[range]) -> None:
    requests = [request(f"abc{end}", "x") for end in ("de", "fg", "hi")]
    segments = build_segments([*requests, request("abcde", "y")])
    assert list(build_packs(segments, tokens, rows)) == packs


@pytest.mark.parametrize(
    ("one", "other", "length"), [("abc", "abd", 2), ("abc", "abc", 3), ("", "a", 0), ("b", "a", 0)]
)
def test_common_length(one: str, other: str, length: int) -> None:
    assert common_length(tuple(map(ord, one)), tuple(map(ord, other))) == length


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    tokens = st.integers(0, 2)
    inputs = draw(st.lists(st.lists(tokens, min_size=1, max_size=9), max_size=9))
    found = []
    for one in inputs:
        n_targets = draw(st.integers(0, len(one)))
        targets = draw(st.lists(tokens, min_size=n_targets, max_size=n_targets))
        found.append(Request(tuple(one), tuple(targets)))
    return found


@given(requests(), st.integers(1, 4))
def test_what_defines_the_tree(given_requests: list[Request], longest: int) -> None:
    segments = build_segments(given_requests, longest)
    paths = []
    for index, segment in enumerate(segments):
        above = [token for one in ancestors(segments, index) for token in segments[one].tokens]
        assert len(above) == segment.start
        paths += [(*above, *segment.tokens[: n + 1]) for n in range(len(segment.tokens))]
        for row in segment.rows:
            assert segment.start <= row.position < segment.end
            upto = (*above, *segment.tokens[: row.position - segment.start + 1])
            inputs, targets = given_requests[row.request]
            assert upto == inputs[: row.position + 1]
            assert row.target == targets[row.position - (len(inputs) - len(targets))]
        below = [other for other in range(len(segments)) if index in ancestors(segments, other)]
        assert below == list(range(index + 1, segment.last + 1))
        assert 0 < len(segment.tokens) <= longest
    prefixes = {one.inputs[: n + 1] for one in given_requests for n in range(len(one.inputs))}
    assert sorted(paths) == sorted(prefixes)
    n_rows = sum(len(segment.rows) for segment in segments)
    assert n_rows == sum(len(one.targets) for one in given_requests)


@given(requests(), st.integers(1, 12), st.integers(1, 12))
def test_packs_hold_every_segment_once_in_order(given_requests: list[Request], tokens: int, rows: int) -> None:
    segments = build_segments(given_requests, 3)
    packs = list(build_packs(segments, tokens, rows))
    assert [index for pack in packs for index in pack] == list(range(len(segments)))
    for pack in packs:
        mine = [segments[index] for index in pack]
        n_rows = sum(len({row.position for row in one.rows}) for one in mine)
        assert len(pack) == 1 or (sum(len(one.tokens) for one in mine) <= tokens and n_rows <= rows)
