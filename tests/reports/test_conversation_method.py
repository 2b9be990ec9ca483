from __future__ import annotations

from mplus_eval.reports.conversation_method import conversation_method
from tests.reports import build
from tests.reports import build_conversation as talk


def test_there_is_no_method_where_conversation_was_not_evaluated() -> None:
    assert conversation_method(build.full()) == ""


def test_tokens_are_counted_over_models_and_judges() -> None:
    # Five judgings of 412,000 and 38,500 tokens: four models by the first judge, and plus by the second.
    assert "Judging read 2,060,000 tokens and wrote 192,500." in conversation_method(talk.talking())


def test_a_judge_that_sees_no_order_and_costs_nothing_is_not_said_to() -> None:
    blind = talk.bias(order_inconsistency=talk.rate(None, n=0))
    blindly = talk.model_conversation("instruct", bias=blind, tokens_in=0, tokens_out=0)
    part = talk.conversation(models={"instruct": blindly}, judges={"reward": "77"})
    text = conversation_method(talk.talking().model_copy(update={"conversation": part}))
    assert "both orders" not in text
    assert "tokens and wrote" not in text
