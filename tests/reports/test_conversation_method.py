from __future__ import annotations

from mplus_eval.reports.conversation_method import conversation_method
from tests.reports import build
from tests.reports import build_conversation as talk


def test_there_is_no_method_where_conversation_was_not_evaluated() -> None:
    assert conversation_method(build.full()) == ""


def test_the_method_names_judges_orders_margin_and_tokens() -> None:
    said = conversation_method(talk.talking())
    assert "240 dialogues of HuggingFaceH4/mt_bench_prompts, 480 turns in all, greedy answers" in said
    assert "by judge-70b (hash 5d1c0ffee5d1) and reward (hash 77aa88bb99cc). The first judge decides." in said
    assert "sees every pair in both orders" in said
    assert "a rate 2 points or more below one half is ruled out" in said
    # Five judgings of 412,000 and 38,500 tokens: four models by the first judge, and plus by the second.
    assert "Judging read 2,060,000 tokens and wrote 192,500." in said


def test_a_judge_that_sees_no_order_and_costs_nothing_is_not_said_to() -> None:
    blind = talk.bias(order_inconsistency=talk.rate(None, n=0))
    one = talk.model_conversation("instruct", bias=blind, tokens_in=0, tokens_out=0)
    part = talk.conversation(models={"instruct": one}, judges={"reward": "77"})
    said = conversation_method(talk.talking().model_copy(update={"conversation": part}))
    assert "both orders" not in said
    assert "tokens and wrote" not in said
