"""Grouping by common prefixes, by hand and against a recursive definition, and scores against plain forwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mplus_eval.inference import shared_prefix
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.shared_prefix import (
    CACHED,
    FORWARD,
    Group,
    Line,
    SharedPrefixScorer,
    build_groups,
    build_lines,
)
from mplus_eval.inference.tree import Request
from tests.inference.families import PLAIN, SHARED_PREFIX, TREE, build, largest_difference, plain, some_requests

REQUESTS = some_requests()


def line(text: str, context: int | None = None) -> Line:
    """A letter a token; scored from `context` on, by default at the last token."""
    first = len(text) - 1 if context is None else context
    return Line(tuple(map(ord, text)), [(place, 0, 0) for place in range(first, len(text))])


def test_lines_are_distinct_sorted_and_know_their_targets() -> None:
    lines = build_lines(
        [
            Request((2, 3), (7,)),
            Request((1, 2, 3), (4, 5)),
            Request((2, 3), (8,)),
            Request((2, 3), (9, 9)),
            Request((6, 6), ()),
        ]
    )
    assert lines == [
        Line((1, 2, 3), [(1, 1, 4), (2, 1, 5)]),
        Line((2, 3), [(1, 0, 7), (1, 2, 8), (0, 3, 9), (1, 3, 9)]),
    ]
    assert [one.context for one in lines] == [1, 0]


def test_a_prefix_is_shared_where_it_saves_a_forward() -> None:
    long = "x" * (FORWARD + 1)
    assert build_groups([line(long + "a"), line(long + "b")]) == [Group(0, 2, FORWARD + 1)]
    assert build_groups([line(long[1:] + "a"), line(long[1:] + "b")]) == [Group(0, 1, 0), Group(1, 2, 0)]


def test_the_prefix_ends_before_the_first_scored_position() -> None:
    long = "x" * 100
    assert build_groups([line(long + "a", context=90), line(long + "b")]) == [Group(0, 2, 90)]
    # The whole of one is the beginning of the other: its last position is scored, so it is not in the prefix.
    assert build_groups([line(long), line(long + "a")]) == [Group(0, 2, 99)]


def test_many_short_questions_share_the_examples_and_few_long_ones_each_their_own() -> None:
    examples = "x" * 100
    short = [line(examples + question + answer) for question in "abcdef" for answer in "12"]
    assert build_groups(short) == [Group(0, 12, 100)]
    questions = [letter * 300 for letter in "ab"]
    long = [line(examples + question + answer) for question in questions for answer in "1234"]
    assert build_groups(long) == [Group(0, 4, 400), Group(4, 8, 400)]


def cheapest(lines: Sequence[Line]) -> int:
    """What lines with one beginning cost: one group, or each longer beginning as cheap as it can be."""
    apart = sum(len(one.inputs) for one in lines)
    if len(lines) == 1:
        return apart
    common = 0
    while len({one.inputs[: common + 1] for one in lines}) == 1 and all(len(one.inputs) > common for one in lines):
        common += 1
    longer = {one.inputs[: common + 1] for one in lines}
    below = sum(cheapest([one for one in lines if one.inputs[: common + 1] == start]) for start in longer)
    prefix = min(common, *(one.context for one in lines))
    return min(below, apart - (len(lines) - 1) * prefix + 3)


@given(st.lists(st.text("ab", min_size=1, max_size=12), min_size=1, max_size=7, unique=True), st.data())
def test_no_other_choice_of_prefixes_costs_less(texts: list[str], data: st.DataObject) -> None:
    lines = [line(text, data.draw(st.integers(0, len(text) - 1))) for text in sorted(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_prefix, "FORWARD", 3)
        groups = build_groups(lines)
    assert [place for low, high, _ in groups for place in range(low, high)] == list(range(len(lines)))
    total = 0
    for low, high, prefix in groups:
        mine = lines[low:high]
        assert all(one.inputs[:prefix] == mine[0].inputs[:prefix] and prefix <= one.context for one in mine)
        total += sum(len(one.inputs) - prefix for one in mine) + prefix + (3 if prefix else 0)
    assert total == cheapest(lines)


@pytest.mark.parametrize("family", [SHARED_PREFIX["Bloom"], SHARED_PREFIX["GPT-J"], TREE["Mistral, window"]])
@pytest.mark.parametrize(("tokens", "rows"), [(7, 3), (60, 60), (4096, 4096)])
def test_every_budget_gives_a_plain_forward_s_numbers(
    family: tuple[str, dict[str, Any]], tokens: int, rows: int
) -> None:
    model = build(family)
    scorer = SharedPrefixScorer(model, Budget(tokens, rows))
    assert largest_difference(scorer.score(REQUESTS), plain(model, REQUESTS)) < 1e-4
    # 70 tokens are shared by all, and each question by its four distinct inputs.
    assert scorer.n_tokens < 0.5 * sum(len(one.inputs) for one in REQUESTS)


def test_batches_keep_to_the_budget() -> None:
    forwards: list[tuple[int, int, int, int]] = []
    model = build(TREE["Llama"])
    inner = model.forward

    def noting(input_ids: torch.Tensor, logits_to_keep: torch.Tensor, attention_mask: torch.Tensor, **rest: Any) -> Any:
        forwards.append((*input_ids.shape, len(logits_to_keep), attention_mask.shape[1]))
        return inner(input_ids=input_ids, logits_to_keep=logits_to_keep, attention_mask=attention_mask, **rest)

    scorer = SharedPrefixScorer(model, Budget(tokens=40, rows=9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_prefix, "logits_at", _call(noting))
        found = scorer.score(REQUESTS)
    assert largest_difference(found, plain(model, REQUESTS)) < 1e-4
    assert scorer.n_tokens == sum(n_lines * width for n_lines, width, _, _ in forwards)
    several = [one for one in forwards if one[0] > 1]
    assert several
    for n_lines, width, n_rows, cached in several:
        assert n_lines * width <= 40
        assert n_lines * n_rows <= 9
        assert n_lines * cached <= CACHED * 40


def test_the_expanded_cache_keeps_to_the_budget() -> None:
    shared = tuple(range(3, 83))
    lines = [Line((*shared, last), [(80, 0, 0)]) for last in range(10)]
    batches = SharedPrefixScorer(build(TREE["Llama"]), Budget(tokens=40, rows=40))._batches(lines, 80)
    # 8 times 40 tokens hold 81 tokens 3 times.
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]


def _call(forward: Any) -> Any:
    def logits_at(model: Any, positions: Sequence[int], inputs: dict[str, Any]) -> torch.Tensor:
        return forward(**inputs, logits_to_keep=torch.tensor(positions)).logits  # type: ignore[no-any-return]

    return logits_at


def test_nothing_to_score_sums_to_nothing() -> None:
    scorer = SharedPrefixScorer(build(TREE["Llama"]), Budget())
    assert scorer.score([]) == []
    assert scorer.score([Request((5, 6), ())]) == [(0.0, True)]
    assert scorer.n_tokens == 0


def test_a_recurrent_state_is_refused() -> None:
    with pytest.raises(AttributeError, match="batch_repeat_interleave"):
        SharedPrefixScorer(build(PLAIN["Mamba"]), Budget()).score(REQUESTS)
