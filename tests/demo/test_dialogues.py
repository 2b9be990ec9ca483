"""The demo's dialogues for evaluation: what training leaves out, two turns of one category each."""

from __future__ import annotations

from mplus_eval.demo.dialogues import N_PROMPTS, SEED, demo_dialogues
from mplus_eval.demo.judge import rule_score
from mplus_eval.demo.talk import conversation_prompts


def test_every_excluded_prompt_is_asked_once() -> None:
    asked = [prompt for dialogue in demo_dialogues() for prompt in dialogue["prompt"]]
    assert sorted(asked) == sorted(set(conversation_prompts(N_PROMPTS, SEED)))


def test_only_the_last_dialogue_of_a_category_may_have_one_turn() -> None:
    lengths: dict[str, list[int]] = {}
    for dialogue in demo_dialogues():
        assert len(dialogue["references"]) == len(dialogue["prompt"])
        lengths.setdefault(str(dialogue["category"]), []).append(len(dialogue["prompt"]))
    assert list(lengths) == ["knowledge", "practical", "provoked", "small talk", "sums"]
    assert all(set(turns[:-1]) <= {2} and turns[-1] in (1, 2) for turns in lengths.values())


def test_references_are_good_replies() -> None:
    for dialogue in demo_dialogues():
        for prompt, reference in zip(dialogue["prompt"], dialogue["references"], strict=True):
            assert rule_score(prompt, reference, ended=True) == 1.0
