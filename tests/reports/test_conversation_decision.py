from __future__ import annotations

from typing import Any

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Judging, StockAnswer
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.conversation_decision import conversation_finding, conversation_headline
from mplus_eval.reports.finding import Headline
from tests.reports import build
from tests.reports import build_conversation as talk

REWARD, RULES = "reward", "rules"


def headline(comparison: Comparison, *names: str) -> Headline:
    return conversation_headline({name: conversation_finding(name, comparison) for name in names}, comparison)


def judged(name: str, value: float, verdict: Verdict | None, second: Judging | None = None, **more: Any) -> Comparison:
    fields = talk.judging(value, verdict, RULES, second_judge=second, agreement=None)
    return talk.changed_model(talk.talk_alone(), name, **fields | more)


def by_reward(value: float, verdict: Verdict, **more: Any) -> Judging:
    return Judging(**talk.judging(value, verdict, REWARD, **more))


def disagreeing() -> Comparison:
    second = by_reward(0.68, Verdict.IMPROVED, trained_model=True)
    stock = StockAnswer(text="I am glad you asked.", share=0.28, baseline_share=0.02, ci=(0.18, 0.34))
    alone = {"verdict_alone": Verdict.DEGRADED, "stock_answer": stock}
    return with_record(judged("plus", 0.41, Verdict.JUDGES_DISAGREE, second, **alone), "plus")


def with_record(comparison: Comparison, name: str) -> Comparison:
    entry = comparison.models[name].model_copy(update={"training": build.training(30, 2.0, {})})
    return comparison.model_copy(update={"models": comparison.models | {name: entry}})


def test_a_cell_has_the_rate_its_interval_and_the_rate_with_length_controlled() -> None:
    found = conversation_finding("plus", judged("plus", 0.59, Verdict.IMPROVED))
    assert (found.mark.letter, found.word, found.value, found.interval) == ("+", "preferred", "59 %", "[54, 64]")
    assert [note.text for note in found.notes] == ["length-controlled 57 %"]
    assert found.href == "#conversation"


def test_the_second_judge_stands_beneath() -> None:
    comparison = judged("plus", 0.59, Verdict.IMPROVED, by_reward(0.54, Verdict.UNDECIDED))
    (note,) = conversation_finding("plus", comparison).notes
    assert (note.text, note.is_warning) == ("54 % [49, 59] by reward; length-controlled 57 %", False)


def test_judges_that_disagree_stand_with_both_rates_and_who_trained_whom() -> None:
    found = conversation_finding("plus", disagreeing())
    assert (found.mark.letter, found.word) == ("≠", "judges disagree")
    assert (found.value, found.interval) == ("41 %", "[36, 46] by rules")
    assert [(note.text, note.is_warning) for note in found.notes] == [
        ("68 % [63, 73] by reward (trained it)", True),
        ("28 % of answers are “I am glad you asked.” (base at most 2 %)", True),
    ]


def test_judges_that_disagree_stand_in_the_headline_and_prefer_nothing() -> None:
    told = headline(disagreeing(), "plus")
    assert told.clauses == ("the judges disagree on plus",)
    assert told.warnings == (
        "plus: 41 % by rules, 68 % by reward, which trained it.",
        "plus: 28 % of answers are “I am glad you asked.” (base at most 2 %).",
    )


def test_the_headline_quotes_the_most_frequent_stock_answer_and_counts_the_others() -> None:
    names = ("instruct", "sft", "chosen", "plus")
    comparison = talk.talk_alone()
    for name, share in zip(names, (0.12, 0.23, 0.2, 0.28), strict=True):
        stock = StockAnswer(text=f"I am {name}.", share=share, baseline_share=0.02, ci=(0.05, 0.4))
        comparison = talk.changed_model(comparison, name, stock_answer=stock)
    (told,) = (line for line in headline(comparison, *names).warnings if "answers are" in line)
    assert told == (
        "plus: 28 % of answers are “I am plus.” (base at most 2 %); 23 % of sft’s, 20 % of chosen’s and 12 % of "
        "instruct’s are one of their own."
    )


def test_a_model_judged_only_by_what_trained_it_is_not_comparable_and_keeps_its_rate() -> None:
    comparison = judged(
        "plus", 0.68, Verdict.NOT_COMPARABLE, trained_model=True, reasons=("the judge trained this model",)
    )
    found = conversation_finding("plus", comparison)
    assert (found.word, found.reason) == ("not comparable", "the judge trained this model")
    # Without a record of its training it is known only that the judge lies beside it.
    assert [note.text for note in found.notes] == ["68 % [63, 73] by rules (may have trained it)"]
    recorded = conversation_finding("plus", with_record(comparison, "plus"))
    assert [note.text for note in recorded.notes] == ["68 % [63, 73] by rules (trained it)"]
    assert headline(comparison, "plus").clauses == ("plus is not comparable",)


def test_what_the_judge_says_that_trained_a_model_is_told_and_does_not_decide() -> None:
    second = by_reward(0.68, Verdict.NOT_COMPARABLE, trained_model=True, reasons=("it trained it",))
    comparison = with_record(judged("plus", 0.41, Verdict.DEGRADED, second), "plus")
    (note,) = conversation_finding("plus", comparison).notes
    assert (note.text, note.is_warning) == (
        "68 % [63, 73] by reward (trained it); length-controlled 39 %",
        True,
    )
    told = headline(comparison, "plus")
    assert told.clauses == ("plus is preferred less (41 %)",)
    assert told.warnings == ("plus: 68 % by reward, which trained it and does not decide.",)


def test_preferred_by_both_judges_is_said_where_both_verdicts_are_that() -> None:
    both = judged("plus", 0.59, Verdict.IMPROVED, by_reward(0.6, Verdict.IMPROVED))
    one = judged("plus", 0.59, Verdict.IMPROVED, by_reward(0.6, Verdict.UNDECIDED))
    assert headline(both, "plus").clauses == ("plus is preferred by both judges (59 %)",)
    trainer = judged("plus", 0.59, Verdict.IMPROVED, by_reward(0.6, Verdict.IMPROVED, trained_model=True))
    for comparison in (one, trainer):
        assert headline(comparison, "plus").clauses == ("plus is preferred (59 %)",)


def test_a_preference_that_length_explains_is_another_one() -> None:
    told = headline(talk.talk_alone(), "instruct", "sft", "chosen", "plus")
    assert told.clauses == (
        "sft is preferred, by length (63 %)",
        "plus is preferred (63 %)",
        "instruct is not settled",
        "chosen is not comparable",
    )
    assert told.facts == "477 pairs can only show win rates below 43 % or above 57 %."


def test_without_a_verdict_the_cause_is_told() -> None:
    comparison = judged("plus", 0.5, None, unjudged={"timed out": 9})
    found = conversation_finding("plus", comparison)
    assert (found.word, found.reason) == ("no verdict", "no pair was judged (timed out 9)")
