from __future__ import annotations

import pytest

from mplus_eval.judges.base import LOSS, TIE, WIN, PairwiseItem, Question, SingleAnswer, combined

QUESTION = Question("81", "writing", ("Write a post.", "Now shorten it."), ("A post.", None))


@pytest.mark.parametrize(
    ("baseline_first", "model_first", "preference"),
    [(WIN, WIN, WIN), (LOSS, LOSS, LOSS), (TIE, TIE, TIE), (WIN, LOSS, TIE), (LOSS, WIN, TIE), (WIN, TIE, TIE)],
)
def test_both_orders_must_say_the_same(baseline_first: float, model_first: float, preference: float) -> None:
    assert combined(baseline_first, model_first) == preference


def test_a_reference_is_found_by_its_turn() -> None:
    assert [QUESTION.reference(turn) for turn in (1, 2)] == ["A post.", None]
    assert Question("81", None, ("Hello.",)).reference(1) is None


def test_a_swapped_pair_has_the_models_in_each_others_place() -> None:
    item = PairwiseItem(QUESTION, 1, ("old",), ("new",))
    assert item.swapped == PairwiseItem(QUESTION, 1, ("new",), ("old",))
    assert item.swapped.swapped == item


@pytest.mark.parametrize(
    ("turn", "answers", "message"),
    [
        (0, (), "81: turn 0 of 2 with 0, 0 answers"),
        (3, ("a", "b", "c"), "turn 3 of 2"),
        (2, ("a",), "with 1, 1 answers"),
        (1, ("a", "b"), "with 2, 2 answers"),
    ],
)
def test_answers_that_do_not_fit_the_turn_are_refused(turn: int, answers: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseItem(QUESTION, turn, answers, answers)
    with pytest.raises(ValueError, match=f"81: turn {turn} of 2"):
        SingleAnswer(QUESTION, turn, answers)
