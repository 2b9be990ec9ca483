"""Rounds of items: how many are asked after each, and which outcomes were there then."""

from __future__ import annotations

import pandas as pd

from mplus_eval.capability.rounds import Rounds

ROUNDS = Rounds({"t": {"a": 1, "b": 0, "c": 2, "d": 0, "e": 1}, "u": {"a": 0}})


def rows(*items: str) -> pd.DataFrame:
    return pd.DataFrame({"item_id": list(items), "score": 1.0})


def test_rounds_are_counted():
    assert ROUNDS.sizes == {"t": [2, 4, 5], "u": [1]}
    assert (ROUNDS.last("t"), ROUNDS.last("u")) == (2, 0)
    # A task that has been asked whole has all its items in later rounds.
    assert [ROUNDS.n_asked("t", number) for number in range(4)] == [2, 4, 5, 5]
    assert [ROUNDS.share("t", number) for number in range(4)] == [0.4, 0.8, 1.0, 1.0]
    assert ROUNDS.share("u", 3) == 1.0


def test_outcomes_of_later_rounds_are_left_out():
    outcomes = rows("a", "b", "c", "d")
    assert list(ROUNDS.until("t", outcomes, 0)["item_id"]) == ["b", "d"]
    assert list(ROUNDS.until("t", outcomes, 1)["item_id"]) == ["a", "b", "d"]
    assert list(ROUNDS.until("t", outcomes, 2)["item_id"]) == ["a", "b", "c", "d"]


def test_the_round_that_outcomes_reach():
    assert ROUNDS.reached("t", rows("b", "a")) == 1
    assert ROUNDS.reached("t", rows("b")) == 0
    assert ROUNDS.reached("t", rows()) == -1
