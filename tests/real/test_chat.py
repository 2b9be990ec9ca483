"""A model that was tuned for talk is put its own template, and ends its turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mplus_eval.backends.hf import HfModel
from mplus_eval.conversation.generate import generate
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.models.chat_format import format_of
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.outcomes import Answer
from tests.real.conftest import RealModel
from tests.real.models import SMOL, loaded

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TURNS = ("What is the capital of France? Answer in one sentence.", "And the capital of Italy?")


@pytest.fixture(scope="module")
def smol(real_model: RealModel) -> Iterator[HfModel]:
    model = loaded(real_model(SMOL))
    yield model
    model.close()


@pytest.fixture(scope="module")
def answers(smol: HfModel) -> list[Answer]:
    """A dialogue of two turns, greedy."""
    dialogues = DialogueSet("here", (Dialogue("0", "all", TURNS, (None, None)),), 1)
    task = DialogueTask(ConversationSettings(dialogues="here", max_new_tokens=128), dialogues)
    return generate(task, [0], smol, seed=0, own_template=True, on_items=lambda _: None)


def test_its_template_says_where_a_turn_ends(smol: HfModel) -> None:
    chat = format_of(smol, own_template=True)
    assert chat.name == "own"
    assert chat.turns.ends == ("<|im_end|>",)
    assert chat.turns.begins == ("<|im_start|>",)
    assert smol.opened.tokenizer.convert_tokens_to_ids("<|im_end|>") in smol.lm.ends


def test_both_turns_end_by_themselves_without_a_special_token_in_the_text(answers: list[Answer]) -> None:
    assert [answer.error for answer in answers] == [None, None]
    assert [answer.ended for answer in answers] == [True, True]
    assert [answer.ran_on for answer in answers] == [False, False]
    texts = [answer.text for answer in answers]
    assert "Paris" in texts[0]
    assert "Rome" in texts[1]
    assert not any(mark in text for text in texts for mark in ("<|", "|>", "assistant\n"))


def test_the_second_turn_is_asked_behind_the_first_answer(answers: list[Answer]) -> None:
    first, second = answers
    said = f"{TURNS[0]}<|im_end|>\n<|im_start|>assistant\n{first.text}<|im_end|>\n<|im_start|>user\n{TURNS[1]}"
    assert said in second.prompt
    assert second.prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert second.prompt.startswith("<|im_start|>system\n")


def test_an_answer_is_that_of_transformers_own_generate(smol: HfModel, answers: list[Answer]) -> None:
    tokenizer, model = smol.opened.tokenizer, smol.opened.model
    for answer in answers:
        asked = tokenizer(answer.prompt, add_special_tokens=False, return_tensors="pt")
        (made,) = model.generate(**asked, max_new_tokens=128, do_sample=False)
        new = made[asked["input_ids"].shape[1] :]
        assert tokenizer.convert_ids_to_tokens(int(new[-1])) == "<|im_end|>"
        assert tokenizer.decode(new, skip_special_tokens=True).strip() == answer.text
