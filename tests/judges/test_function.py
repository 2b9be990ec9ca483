from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import LOSS, TIE, WIN, Judgement, PairwiseItem, Question
from mplus_eval.judges.function import FunctionJudge

JUDGE = FunctionJudge.load("tests.talkers:n_words")


def pairing(baseline: str, model: str) -> PairwiseItem:
    return PairwiseItem(Question("1", None, ("How?", "And then?")), 2, ("a b c d", baseline), ("a", model))


def judged_by(function: Any, baseline: str = "a", model: str = "b") -> Judgement:
    return FunctionJudge("module:odd", function).judge([pairing(baseline, model)])[0]


@pytest.mark.parametrize(
    ("baseline", "model", "preference"), [("a", "a b", WIN), ("a b", "a", LOSS), ("a b", "b a", TIE)]
)
def test_the_higher_number_of_the_judged_turn_wins(baseline: str, model: str, preference: float) -> None:
    (found,) = JUDGE.judge([pairing(baseline, model)])
    assert (found.preference, found.margin) == (preference, len(model.split()) - len(baseline.split()))


def test_it_is_told_the_turn_that_is_judged() -> None:
    asked = []
    judged_by(lambda prompt, answer, ended: asked.append((prompt, answer, ended)) or 0.0)
    assert asked == [("And then?", "a", True), ("And then?", "b", True)]


def test_every_judgement_is_told_as_soon_as_there_is_one() -> None:
    told: list[tuple[int, float | None]] = []
    JUDGE.judge([pairing("a", "a b"), pairing("a", "b")], lambda at, one: told.append((at, one.preference)))
    assert told == [(0, WIN), (1, TIE)]


def test_no_number_is_unjudged_and_no_tie() -> None:
    found = judged_by(lambda prompt, answer, ended: float("nan"))
    assert (found.preference, found.cause) == (None, "odd gave no number")


def test_a_function_that_raises_leaves_its_cause() -> None:
    found = judged_by(lambda prompt, answer, ended: {}["absent"])
    assert (found.preference, found.cause) == (None, "odd raised KeyError: 'absent'")


def test_a_judge_is_named_by_its_function_and_known_by_its_place() -> None:
    assert JUDGE.name == "n_words"
    assert JUDGE.fingerprint != FunctionJudge.load("tests.talkers:plain").fingerprint


def test_a_function_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match="write module:function of something importable"):
        FunctionJudge.load("tests.talkers:absent")
