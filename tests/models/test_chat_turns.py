"""Ends and beginnings of turns are found by rendering, whatever the tokenizer's end token is."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import TemplateError

from mplus_eval.models.chat_format import OWN, PLAIN, PLAIN_STOPS, PLAIN_TEMPLATE, chat_format
from mplus_eval.models.chat_turns import ChatTurns, find_turns, fold_system
from tests.chat_templates import KINDS, kind_tokenizer

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Is it new?"}


@pytest.mark.parametrize("name", KINDS)
def test_turns_of_every_kind(name: str) -> None:
    kind = KINDS[name]
    chat = chat_format(kind_tokenizer(kind))
    assert chat.name == OWN
    assert chat.turns == ChatTurns(kind.ends, kind.begins, kind.system, kind.folds)
    # What is no token of the vocabulary is looked for in the text.
    assert chat.stop_strings == tuple(text for text in kind.begins if text not in kind.tokens)
    assert chat.options(["\n\n"]) == {
        "until": ["\n\n", *chat.stop_strings],
        "ends": list(kind.ends),
        "turns": list(kind.begins),
    }


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if "</s>" not in kind.ends])
def test_another_end_token_changes_nothing_of_a_template_that_writes_its_own(name: str) -> None:
    kind = KINDS[name]
    other = kind_tokenizer(kind, eos_token="<|endoftext|>")
    assert chat_format(other).turns == chat_format(kind_tokenizer(kind)).turns


@pytest.mark.parametrize("name", KINDS)
def test_a_systems_words_reach_every_model_once(name: str) -> None:
    chat = chat_format(kind_tokenizer(KINDS[name]))
    text = chat.render([SYSTEM, USER])
    assert text.count("Be brief.") == text.count("Is it new?") == 1
    assert not KINDS[name].folds or "Be brief.\n\nIs it new?" in text


def test_a_system_is_folded_into_the_first_turn_of_the_user() -> None:
    answer = {"role": "assistant", "content": "It is."}
    folded = fold_system([SYSTEM, USER, answer, USER])
    assert folded == [{"role": "user", "content": "Be brief.\n\nIs it new?"}, answer, USER]
    assert fold_system([USER]) == [USER]
    assert fold_system([SYSTEM]) == []


@pytest.mark.parametrize(
    "template",
    [
        PLAIN_TEMPLATE,
        # Other words of a program, and other white space.
        PLAIN_TEMPLATE.replace("Assistant:{%", "Assistant: {%"),
        PLAIN_TEMPLATE.replace("message['content']", "message.content"),
    ],
)
def test_a_template_that_says_what_the_plain_format_says_keeps_its_stop_strings(template: str) -> None:
    tokenizer = kind_tokenizer(KINDS["vicuna"])
    tokenizer.chat_template = template
    chat = chat_format(tokenizer)
    assert (chat.name, chat.stop_strings) == (PLAIN, PLAIN_STOPS)
    assert chat.turns == ChatTurns(("</s>",), PLAIN_STOPS)


def test_without_a_tokenizer_what_looks_like_a_token_is_one() -> None:
    def render(messages: list[dict[str, str]], prompt: bool) -> str:
        turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
        return "".join(turns) + "<|im_start|>assistant\n" * prompt

    assert find_turns(render) == ChatTurns(("<|im_end|>",), ("<|im_start|>",))


def test_a_template_that_refuses_dialogues_tells_nothing() -> None:
    def render(messages: list[dict[str, str]], prompt: bool) -> str:
        if len(messages) > 1:
            raise TemplateError("one turn only")
        return f"<|user|>{messages[0]['content']}"

    assert find_turns(render, ["<|user|>"]) == ChatTurns(folds_system=True)


def test_a_token_of_the_vocabulary_that_no_list_names_is_found_in_the_template() -> None:
    tokenizer: Any = kind_tokenizer(KINDS["chatml"])
    tokenizer.add_tokens(["<turn>"])
    tokenizer.chat_template = KINDS["chatml"].template.replace("<|im_end|>", "<turn>")
    assert chat_format(tokenizer).turns.ends == ("<turn>",)
