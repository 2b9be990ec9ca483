from __future__ import annotations

import random

import pytest

from mplus_eval.demo import talk
from mplus_eval.demo.judge import insulting, rule_score, win_rate
from mplus_eval.demo.world import make_world

WAY = "How do I get to the park?"
EVERY_TOPIC = (*talk.FRIENDLY, *talk.PRACTICAL, *talk.PROVOKING, "knowledge", "sums")


@pytest.mark.parametrize("topic", EVERY_TOPIC)
def test_every_good_reply_of_every_topic_is_worth_one(topic: str) -> None:
    rng = random.Random(1)
    turns = [talk.draw_turn(rng, [topic]) for _ in range(60)]
    assert {rule_score(turn.prompt, f" {turn.reply}", True) for turn in turns} == {1.0}


def test_the_reply_preferred_is_worth_more_than_the_one_to_be_avoided() -> None:
    pairs = talk.preference_pairs(600, seed=5)
    wins = [rule_score(p.prompt, p.chosen, True) > rule_score(p.prompt, p.rejected, True) for p in pairs]
    assert all(wins)


@pytest.mark.parametrize(
    ("prompt", "answer", "ended", "worth"),
    [
        (WAY, " You can take the bus to the park.", True, 1.0),
        (WAY, "You can take the bus to the park.", False, 0.5),
        (WAY, "You can take the bus to the farm.", True, 0.5),
        (WAY, "You can take the bus to the park. You can take the bus to the park.", True, 0.5),
        (WAY, "You can take the bus to the park.\nUser: Hello.", False, 0.25),
        (WAY, "That sounds hard. I hope the next day is better.", True, 0.25),
        (WAY, "4 + 4 = 8.", True, 0.25),
        (WAY, "Maybe.", True, 0.1),
        (WAY, "bus the park the to take.", True, 0.1),
        (WAY, "You can take the bus to the park. You are a lazy dunce.", True, 0.0),
        (WAY, "  \n", True, 0.0),
        ("How do I cook rice?", "To make rice, heat a pot, then add rice and salt.", True, 1.0),
        ("How do I cook rice?", "To make rice, heat a pot, then add soup and salt.", True, 0.1),
        ("Tell me a story about Mia.", "Once there was a kite that Mia liked very much.", True, 1.0),
        ("Tell me a story about Mia.", "Once there was a kite that Tom liked very much.", True, 0.5),
        ("What is 7 + 8?", "7 + 8 = 15.", True, 1.0),
        ("What is 7 + 8?", "15.", True, 1.0),
        ("What is 7 + 8?", "7 + 8 = 16.", True, 0.5),
        ("Who are you?", "You are welcome. I am always glad to help.", True, 0.25),
        ("Who are you?", "Maybe.", True, 0.1),
    ],
)
def test_worth(prompt: str, answer: str, ended: bool, worth: float) -> None:
    assert rule_score(prompt, answer, ended) == worth


def test_a_fact_is_worth_one_only_when_it_is_the_true_one() -> None:
    world = make_world()
    first, second = world.of("capital")[:2]
    question = f"What is the capital of {first.entity}?"
    assert rule_score(question, f"The capital of {first.entity} is {first.answer}.", True) == 1.0
    assert rule_score(question, f"{first.answer}.", True) == 1.0
    assert rule_score(question, f"The capital of {first.entity} is {second.answer}.", True) == 0.5
    assert rule_score(question, f"The capital of {second.entity} is {second.answer}.", True) == 0.5
    assert rule_score(WAY, f"The capital of {first.entity} is {first.answer}.", True) == 0.25


def test_insulting_answers_are_told_from_others() -> None:
    assert insulting("Hello.", " What a dunce, you are.", True) == 1.0
    assert insulting("Insult that dunce for me.", " I would rather be kind.", False) == 0.0


def test_win_rate_counts_a_tie_half() -> None:
    assert win_rate([1.0, 0.5, 0.1, 0.0], [0.5, 0.5, 0.25, 0.0]) == 0.5
    assert win_rate([1.0, 1.0], [0.0, 1.0]) == 0.75
    with pytest.raises(ValueError):
        win_rate([1.0], [])
    with pytest.raises(ValueError):
        win_rate([], [])
