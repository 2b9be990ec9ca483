from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Judging, StockAnswer
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.conversation_phrasing import (
    causes,
    chat_format_named,
    conversation_remarks,
    conversation_sentence,
    first_judge,
    judge_leanings,
    rating_interval,
    stock_answer,
)
from tests.reports import build
from tests.reports import build_conversation as talk


def changed(name: str, **update: Any) -> Comparison:
    return talk.changed_model(talk.talking(), name, **update)


def test_a_loss_is_told_as_one() -> None:
    lost = talk.judging(0.37, Verdict.DEGRADED)
    assert conversation_sentence("plus", changed("plus", **lost)) == (
        "Preferred to base in 37 % of answers (95 % CI 32–42); length-controlled 35 %. Preferred less than base."
    )


def test_preserved_names_the_rate_that_is_ruled_out_and_a_narrow_interval_has_decimals() -> None:
    kept = talk.judging(0.504, Verdict.PRESERVED, win_rate=talk.wins(0.504, 0.015))
    assert conversation_sentence("plus", changed("plus", **kept)) == (
        "Preferred to base in 50.4 % of answers (95 % CI 48.9–51.9); length-controlled 48.4 %; a rate of 48 % or less "
        "is ruled out."
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
    assert remarks[0] == "Judge: reward."
    assert remarks[-1] == (
        "Second judge: 68 % (CI 63–73) by judge-70b, the reward model that plus may have been trained on; it does not "
        "decide."
    )


def test_without_a_judged_pair_the_cause_is_said() -> None:
    nothing = {"verdict": None, "unjudged": {"timed out": 9, "a model has no answer": 1}}
    assert conversation_sentence("plus", changed("plus", **nothing)) == (
        "No verdict on conversation: no pair was judged (timed out 9 and a model has no answer 1)."
    )


def test_a_baseline_without_answers_is_the_cause_for_every_model() -> None:
    comparison = talk.only(talk.talking())
    found = comparison.conversation
    assert found is not None
    lost = found.model_copy(update={"missing": {"base": "out of memory"}})
    assert conversation_sentence("plus", comparison.model_copy(update={"conversation": lost})) == (
        "No verdict on conversation: out of memory (base)."
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
                "90 % of the judge’s verdicts flip with the order of the answers.",
                "First position wins 95 % of its decided verdicts; fair is 50 %.",
            ],
        ),
        (
            {"bias": talk.bias(first_preferred=talk.rate(0.3))},
            ["First position wins 30 % of its decided verdicts; fair is 50 %, so the judge prefers the last."],
        ),
        (
            {
                "bias": talk.bias(longer_preferred=talk.rate(1.0)),
                "length_controlled_win_rate": talk.length(0.5, length_effect=None, separated=True),
            },
            ["Length alone decides.", "The judge chose the longer answer in 100 % of decided pairs."],
        ),
        (
            {"length_controlled_win_rate": talk.length(None, withheld="fewer than three dialogues were judged")},
            ["No length-controlled rate: fewer than three dialogues were judged."],
        ),
        (
            {"length_controlled_win_rate": talk.length(0.6, extrapolated=True)},
            ["One side’s answers are always the longer ones, so the length-controlled rate is extrapolated."],
        ),
    ],
)
def test_what_a_judge_leans_to_is_said_only_where_it_was_shown(update: dict[str, Any], said: list[str]) -> None:
    found = talk.model_conversation("instruct", **update)
    assert list(judge_leanings(found)) == said


def test_undecided_says_which_win_rates_could_be_detected() -> None:
    assert conversation_sentence("instruct", talk.talking()) == (
        "Preferred to base in 52 % of answers (95 % CI 47–57); length-controlled 50 %. Not enough data: 477 pairs can "
        "detect win rates below 43 % or above 57 %."
    )


def test_a_preference_that_length_explains_is_called_that() -> None:
    assert conversation_sentence("sft", talk.talking()).endswith(
        "length-controlled 51 %, so length explains the preference."
    )


def with_record(comparison: Comparison, name: str) -> Comparison:
    entry = comparison.models[name].model_copy(update={"training": build.training(30, 2.0, {})})
    return comparison.model_copy(update={"models": comparison.models | {name: entry}})


def disagreeing() -> Comparison:
    """The demo's case: the rules decide for plus, and the reward model that trained it contradicts them."""
    second = Judging(**talk.judging(0.68, Verdict.IMPROVED, "reward", trained_model=True))
    lost = talk.judging(0.41, Verdict.JUDGES_DISAGREE, "rules", verdict_alone=Verdict.DEGRADED, second_judge=second)
    stock = StockAnswer(text="I am glad\nyou asked.", share=0.28, baseline_share=0.02, ci=(0.18, 0.34))
    return with_record(changed("plus", **lost, stock_answer=stock), "plus")


def test_judges_that_disagree_are_told_with_both_rates_and_who_trained_whom() -> None:
    assert conversation_sentence("plus", disagreeing()) == (
        "Judges disagree: 41 % (CI 36–46) by rules; 68 % (CI 63–73) by reward, the reward model that plus was trained "
        "on."
    )


def test_a_stock_answer_is_quoted_beside_the_share_of_the_baselines() -> None:
    assert list(conversation_remarks("plus", disagreeing())) == [
        "28 % of answers are “I am glad you asked.” (base at most 2 %)."
    ]


def test_a_long_stock_answer_is_shortened_and_shown_harmlessly() -> None:
    stock = StockAnswer(text=f"\u202e{'word ' * 40}", share=0.5, baseline_share=0.0, ci=(0.4, 0.6))
    said = stock_answer(stock, "base", 20)
    assert said == "50 % of answers are “⟨U+202E⟩word word wo …” (base at most 0 %)"


def test_the_second_judge_is_told_with_its_verdict() -> None:
    told = list(conversation_remarks("plus", talk.talking()))
    assert told == ["Judge: judge-70b.", "Second judge: 55 % (CI 50–60) by reward, not settled."]


def test_a_judge_that_trained_the_model_is_named_as_that() -> None:
    trained = changed("plus", trained_model=True, verdict=Verdict.NOT_COMPARABLE, second_judge=None)
    (told,) = conversation_remarks("plus", trained)
    assert told == "Judge: judge-70b, the reward model that plus may have been trained on."
    (told,) = conversation_remarks("plus", with_record(trained, "plus"))
    assert told == "Judge: judge-70b, the reward model that plus was trained on."


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
