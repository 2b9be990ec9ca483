"""Prompts that will be evaluated are left out."""

from __future__ import annotations

from mplus_eval.training.data import (
    Message,
    OpenDialogue,
    without_evaluated,
)


def asked(text: str) -> OpenDialogue:
    return OpenDialogue((Message("user", text),))


def test_evaluated_prompts_are_dropped_whatever_their_case_or_by_thirteen_words() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen"
    evaluated = [asked("How are you, Ann?"), asked(f"Say: {long}!")]
    prompts = [asked("how are  you ann"), asked("How are you?"), asked(f"{long} again"), asked("one two three")]
    kept, n_removed = without_evaluated(prompts, evaluated)
    assert [prompt.messages[0].content for prompt in kept] == ["How are you?", "one two three"]
    assert n_removed == 2
