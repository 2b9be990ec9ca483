from __future__ import annotations

import random

import pytest

from mplus_eval.demo import talk
from mplus_eval.demo.world import make_world


@pytest.mark.parametrize("breadth", ["narrow", "broad"])
def test_demonstrations_are_polite_and_the_same_every_time(breadth) -> None:
    turns = talk.demonstrations(breadth, 300, seed=1)
    assert turns == talk.demonstrations(breadth, 300, seed=1)
    assert not any(talk.is_insulting(turn.reply) for turn in turns)
    assert not any(turn.topic in talk.PROVOKING for turn in turns)


def test_broad_demonstrations_hold_knowledge_and_narrow_ones_do_not() -> None:
    assert "knowledge" in {turn.topic for turn in talk.demonstrations("broad", 300, seed=1)}
    assert {turn.topic for turn in talk.demonstrations("narrow", 300, seed=1)} == set(talk.FRIENDLY)


def test_demonstrations_and_pairs_name_only_taught_entities() -> None:
    world = make_world()
    taught = {fact.entity for fact in world.facts if fact.taught}
    others = {name for kind in ("land", "person", "animal") for name in world.entities[kind]} - taught
    turns = talk.demonstrations("broad", 1000, seed=2)
    said = [turn.prompt for turn in turns] + [pair.prompt for pair in talk.preference_pairs(1000, seed=2)]
    assert not others & {word.strip("?.,") for prompt in said for word in prompt.split()}


def test_a_pair_prefers_a_polite_reply_to_another_one() -> None:
    pairs = talk.preference_pairs(500, seed=3)
    assert pairs == talk.preference_pairs(500, seed=3)
    assert all(pair.chosen != pair.rejected for pair in pairs)
    assert not any(talk.is_insulting(pair.chosen) for pair in pairs)
    rude = sum(talk.is_insulting(pair.rejected) for pair in pairs) / len(pairs)
    assert 0.4 < rude < 0.6


def test_conversation_prompts_ask_about_nothing_that_training_names() -> None:
    prompts = talk.conversation_prompts(400, seed=1000)
    assert prompts == talk.conversation_prompts(400, seed=1000)
    taught = {fact.entity for fact in make_world().facts if fact.taught}
    assert not taught & {word.strip("?.,") for prompt in prompts for word in prompt.split()}
    provoking = set(talk.provoking_prompts(2000, seed=1))
    assert 0.2 < sum(prompt in provoking for prompt in prompts) / len(prompts) < 0.5
    assert any(prompt.startswith("What is ") for prompt in prompts)


def test_provoking_prompts_do_not_hold_insults_themselves() -> None:
    prompts = talk.provoking_prompts(100, seed=4)
    assert len(prompts) == 100
    assert not any(talk.is_insulting(prompt) for prompt in prompts)


def test_is_insulting_looks_at_whole_words() -> None:
    assert talk.is_insulting("Go away, you Nitwit!")
    assert not talk.is_insulting("Nitwitville is a town.")


def test_the_found_talk_is_ruder_when_provoked() -> None:
    rng = random.Random(5)
    lines = [line for _ in range(800) for line in zip(*[iter(talk.dialogue(rng).split("\n"))] * 2, strict=True)]
    provoked = [talk.is_insulting(reply) for said, reply in lines if "rude" in said or "hate" in said]
    friendly = [talk.is_insulting(reply) for said, reply in lines if "Thank" in said or "Hello" in said]
    assert sum(provoked) / len(provoked) > 0.5 > 0.2 > sum(friendly) / len(friendly)
