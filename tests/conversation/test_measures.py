from __future__ import annotations

import pandas as pd
import pytest

from mplus_eval.conversation.measures import measure
from tests.conversation.tables import NAN, table


def two_turns() -> pd.DataFrame:
    return table(
        [1.0, 0.0, 1.0, 0.5, 1.0, NAN],
        dialogues=list("aabbcc"),
        turns=[1, 2] * 3,
        categories=["maths"] * 2 + ["writing"] * 4,
    )


def test_win_rates_are_given_by_turn_and_by_category() -> None:
    found = measure(two_turns())["plus"]
    assert {turn: part.value for turn, part in found.by_turn.items()} == {1: 1.0, 2: 0.25}
    assert {name: part.value for name, part in found.by_category.items()} == pytest.approx(
        {"maths": 0.5, "writing": 2.5 / 3}
    )
    assert found.by_turn[2].n_unjudged == 1


def test_every_model_is_measured_by_itself() -> None:
    found = measure(pd.concat([two_turns(), table([0.0] * 3, model="sft")]))
    assert list(found) == ["plus", "sft"]
    assert found["sft"].overall.value == 0.0


def test_the_same_table_gives_the_same_measures() -> None:
    assert measure(two_turns(), seed=3) == measure(two_turns(), seed=3)


def test_another_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no column"):
        measure(two_turns().drop(columns="turn"))
