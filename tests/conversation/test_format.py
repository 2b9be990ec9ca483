from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.conversation.format import messages_of, prompt_of
from mplus_eval.conversation.items import Dialogue
from mplus_eval.errors import UsageError
from mplus_eval.models.chat_format import PLAIN_STOPS, PLAIN_TEMPLATE, chat_format, plain_format
from tests.conftest import TinyModel

ASKED = Dialogue("1", "talk", ("Hello.", "Bye."), (None, None))
OWN_TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
)


@pytest.fixture
def tokenizer(tiny_model: TinyModel) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model())


def test_a_model_without_a_template_gets_the_plain_format_and_its_stop_strings(tokenizer: Any) -> None:
    found = chat_format(tokenizer)
    assert (found.name, found.stop_strings) == ("plain", PLAIN_STOPS)
    begin, end = tokenizer.bos_token or "", tokenizer.eos_token
    assert prompt_of(ASKED, ["Hi."], found.render) == (
        f"{begin}User: Hello.\nAssistant: Hi.{end}User: Bye.\nAssistant:"
    )


def test_a_models_own_template_is_used(tokenizer: Any) -> None:
    tokenizer.chat_template = OWN_TEMPLATE
    found = chat_format(tokenizer)
    assert (found.name, found.stop_strings) == ("own", ("[user]",))
    assert prompt_of(ASKED, [], found.render) == "[user]Hello.>"


def test_the_plain_template_that_training_saved_is_still_plain(tokenizer: Any) -> None:
    tokenizer.chat_template = PLAIN_TEMPLATE
    assert (chat_format(tokenizer).name, chat_format(tokenizer).stop_strings) == ("plain", PLAIN_STOPS)


def test_without_an_end_token_a_line_break_parts_the_turns(tokenizer: Any) -> None:
    tokenizer.eos_token = None
    assert "Assistant: Hi.\nUser: Bye." in prompt_of(ASKED, ["Hi."], chat_format(tokenizer).render)


def test_behind_a_server_the_plain_format_needs_no_tokenizer(tokenizer: Any) -> None:
    text = prompt_of(ASKED, ["Hi."], plain_format().render)
    assert text == "User: Hello.\nAssistant: Hi.\nUser: Bye.\nAssistant:"
    with_tokens = plain_format(tokenizer.bos_token or "", tokenizer.eos_token).render
    assert prompt_of(ASKED, ["Hi."], with_tokens) == prompt_of(ASKED, ["Hi."], chat_format(tokenizer).render)


def test_the_second_turn_sees_the_models_own_first_answer_and_no_reference() -> None:
    dialogue = Dialogue("1", "talk", ("Hello.", "Bye."), ("A reference.", None), system="Be brief.")
    assert messages_of(dialogue, ["  My own.\n"]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "My own."},
        {"role": "user", "content": "Bye."},
    ]


def test_no_turn_is_left_after_the_last_answer() -> None:
    with pytest.raises(ValueError, match="has 2 turns, all of them answered"):
        messages_of(ASKED, ["Hi.", "Bye."])


def test_a_template_that_refuses_a_dialogue_is_one_line(tokenizer: Any) -> None:
    tokenizer.chat_template = "{{ raise_exception('no system messages') }}"
    with pytest.raises(UsageError, match=r"dialogue 1: the model's chat template refuses it \(no system messages\)"):
        prompt_of(ASKED, [], chat_format(tokenizer).render)
