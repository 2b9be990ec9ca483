from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.conversation_phrasing import (
    causes,
    chat_format_named,
    conversation_axis,
    conversation_remarks,
    conversation_sentence,
    conversation_short,
    first_judge,
    judge_leanings,
    rating_interval,
)
from tests.reports import build
from tests.reports import build_conversation as talk


def changed(name: str, **update: Any) -> Comparison:
    return talk.changed_model(talk.talking(), name, **update)


def test_a_loss_is_told_as_one() -> None:
    lost = talk.judging(0.37, Verdict.DEGRADED)
    assert conversation_sentence("plus", changed("plus", **lost)) == (
        "plus wins 37 % (32 to 42) of conversations against base, fewer than half; with length held equal, 35 %."
    )


def test_preserved_names_the_rate_that_is_ruled_out_and_a_narrow_interval_has_decimals() -> None:
    kept = talk.judging(0.504, Verdict.PRESERVED, win_rate=talk.wins(0.504, 0.015))
    assert conversation_sentence("plus", changed("plus", **kept)) == (
        "plus wins 50.4 % (48.9 to 51.9) of conversations against base; a rate of 48 % or less is ruled out; with "
        "length held equal, 48.4 %."
    )


def test_where_the_first_judge_trained_a_model_the_one_that_decides_is_named_and_the_other_one_qualified() -> None:
    comparison = talk.talking()
    part = comparison.conversation
    assert part is not None
    plus = part.models["plus"]
    assert plus.second_judge is not None
    why = ("the judge trained this model (judge-70b)",)
    reward = talk.judging(0.68, Verdict.NOT_COMPARABLE, trained_model=True, reasons=why)
    second = plus.second_judge.model_copy(update=reward)
    changes = {**dict(plus.second_judge), "second_judge": second, "verdict": Verdict.UNDECIDED}
    comparison = talk.changed_model(comparison, "plus", **changes)
    assert comparison.conversation is not None
    assert first_judge(comparison.conversation) == "judge-70b (reward for plus)"
    remarks = list(conversation_remarks("plus", comparison))
    assert remarks[0] == "Conversation judged by reward."
    assert remarks[-1] == "judge-70b, which trained plus, says 68 % (63 to 73); it does not decide."


def test_without_a_judged_pair_the_cause_is_said() -> None:
    nothing = {"verdict": None, "unjudged": {"timed out": 9, "a model has no answer": 1}}
    assert conversation_sentence("plus", changed("plus", **nothing)) == (
        "Whether plus talks better is unknown: no pair was judged (timed out 9 and a model has no answer 1)."
    )


def test_a_baseline_without_answers_is_the_cause_for_every_model() -> None:
    comparison = talk.only(talk.talking())
    found = comparison.conversation
    assert found is not None
    lost = found.model_copy(update={"missing": {"base": "out of memory"}})
    assert conversation_sentence("plus", comparison.model_copy(update={"conversation": lost})) == (
        "Whether plus talks better is unknown: out of memory (base)."
    )


def test_nothing_is_said_where_conversation_was_not_evaluated() -> None:
    assert conversation_sentence("plus", build.full()) == ""


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({}, []),
        (
            {"bias": talk.bias(order_inconsistency=talk.rate(0.9), first_preferred=talk.rate(0.95))},
            [
                "90 % of the judge’s verdicts change with the order of the answers.",
                "The judge leans to the answer shown first, which won 95 % of its decided verdicts; fair is 50 %.",
            ],
        ),
        (
            {"bias": talk.bias(first_preferred=talk.rate(0.3))},
            ["The judge leans to the answer shown last: the first won 30 % of its decided verdicts; fair is 50 %."],
        ),
        (
            {
                "bias": talk.bias(longer_preferred=talk.rate(1.0)),
                "length_controlled_win_rate": talk.length(0.5, length_effect=None, separated=True),
            },
            ["Length alone decides: the longer answer won 100 % of the pairs with a winner."],
        ),
        (
            {"length_controlled_win_rate": talk.length(None, withheld="fewer than three dialogues were judged")},
            ["No rate at equal length: fewer than three dialogues were judged."],
        ),
        (
            {"length_controlled_win_rate": talk.length(0.6, extrapolated=True)},
            ["One side’s answers are always the longer ones, so the rate at equal length is extrapolated."],
        ),
    ],
)
def test_what_a_judge_leans_to_is_said_only_where_it_was_shown(update: dict[str, Any], said: list[str]) -> None:
    found = talk.model_conversation("instruct", **update)
    assert list(judge_leanings(found)) == said


def test_the_axis_has_the_rate_or_the_reason() -> None:
    comparison = talk.talking()
    axes = {name: conversation_axis(name, comparison) for name in talk.RATES}
    assert [mark.word for mark, _ in axes.values()] == ["undecided", "improved", "not comparable", "improved"]
    assert axes["sft"][1] == "wins 62.8 % [57.8, 67.8], explained by length"
    assert axes["chosen"][1] == "the order of the answers decides more than half of the judge's verdicts"
    assert conversation_axis("plus", talk.only(comparison))[1] == "no result"


def test_a_terminal_gets_a_few_letters() -> None:
    names = ("base", "instruct", "sft", "plus")
    assert [conversation_short(name, talk.talking()) for name in names] == [
        "", "52 % undecided", "63 % by length", "63 % improved",
    ]  # fmt: skip
    assert conversation_short("plus", talk.only(talk.talking())) == "– no verdict"


def test_causes_come_the_most_frequent_first_and_the_rest_is_counted() -> None:
    assert causes({"a": 1, "b.": 12, "c": 2, "d": 1, "e": 1}) == "b 12, c 2, a 1 and 2 more causes"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain format", "plain format"),
        ("own 0a1b2c3d4e5f", "own template, 0a1b2c3d4e5f"),
        ("file 99", "template of a file, 99"),
        ("", "–"),
    ],
)
def test_chat_formats_are_named_in_words(name: str, words: str) -> None:
    assert chat_format_named(name) == words


@pytest.mark.parametrize(
    ("ci", "words"),
    [
        ((-20.4, 0.2), "[−20, 0]"),
        ((58.4, None), "above +58, no upper bound"),
        ((None, -12.0), "below −12, no lower bound"),
        ((None, None), "no bound"),
        (None, "–"),
    ],
)
def test_an_interval_without_bound_is_said_in_words(ci: Any, words: str) -> None:
    assert rating_interval(ci) == words
