from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mplus_eval.statistics.drawing import draw, spread_order

GROUPS = st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=30)


@given(GROUPS, st.text(max_size=5))
def test_every_item_stands_once_in_an_order(groups: list[str | None], seed: str) -> None:
    assert sorted(spread_order(groups, seed)) == list(range(len(groups)))


@given(GROUPS, st.text(max_size=5), st.integers(0, 30))
def test_no_group_is_asked_again_before_all_have_been_asked(groups: list[str | None], seed: str, n: int) -> None:
    drawn = Counter(groups[place] for place in draw(groups, n, seed))
    for group, size in Counter(groups).items():
        others = [times for other, times in drawn.items() if other is not None and other != group]
        if group is not None and drawn[group] < size and others:
            assert max(others) <= drawn[group] + 1
    # Items that stand alone come in the first round.
    if any(times > 1 for group, times in drawn.items() if group is not None):
        assert drawn[None] == groups.count(None)


@given(GROUPS, st.integers(0, 30), st.integers(0, 30))
def test_a_larger_draw_holds_the_smaller_one(groups: list[str | None], one: int, other: int) -> None:
    assert set(draw(groups, min(one, other), "0")) <= set(draw(groups, max(one, other), "0"))


def test_the_same_seed_draws_the_same_items_on_every_machine() -> None:
    assert spread_order([None] * 8, "0 sums") == [4, 0, 3, 5, 7, 6, 2, 1]
    assert spread_order([None] * 8, "1 sums") != spread_order([None] * 8, "0 sums")


def test_items_stand_in_the_order_of_the_data() -> None:
    assert draw([None] * 5, 5, "0") == [0, 1, 2, 3, 4]


def test_few_items_are_drawn_with_nearly_the_same_probability_whatever_the_size_of_their_group() -> None:
    sizes = [1] * 40 + [4] * 40
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    drawn = np.zeros(len(groups))
    for seed in range(3000):
        drawn[draw(groups, 10, str(seed))] += 1
    small, large = drawn[:40].mean(), drawn[40:].mean()
    # A plain draw of groups would ask an item of a small group four times as often.
    assert 0.9 < small / large < 1.3
