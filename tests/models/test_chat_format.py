from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.chat_format import (
    OWN,
    PLAIN,
    PLAIN_STOPS,
    PLAIN_TEMPLATE,
    chat_format,
    format_of,
    mistaken_end,
    plain_format,
    stored_template,
)
from tests.chat_templates import KINDS, kind_tokenizer
from tests.tiny_models import CHAT_TEMPLATE, build_tokenizer
from tests.toy import RuleBackend

TALK = [
    {"role": "user", "content": "Thank you."},
    {"role": "assistant", "content": "You are welcome."},
    {"role": "user", "content": "Is it new?"},
]


def tokenizer(template: str | None, vocabulary: int = 300) -> Any:
    built = build_tokenizer(vocabulary)
    built.chat_template = template
    return built


def test_a_model_without_a_template_talks_in_the_plain_format() -> None:
    chat = chat_format(tokenizer(None))
    assert (chat.name, chat.stop_strings) == (PLAIN, PLAIN_STOPS)
    assert chat.render(TALK) == "<s>User: Thank you.\nAssistant: You are welcome.</s>User: Is it new?\nAssistant:"


def test_a_model_with_a_template_is_asked_in_it() -> None:
    chat = chat_format(tokenizer(CHAT_TEMPLATE))
    # This tokenizer has none of the template's tokens.
    assert (chat.name, chat.stop_strings) == (OWN, ("\n<|user|>", "\n<|assistant|>"))
    assert chat.render(TALK[:1]) == "<|user|>Thank you.\n<|assistant|>"


def test_the_template_that_training_saves_is_the_plain_format() -> None:
    assert chat_format(tokenizer(PLAIN_TEMPLATE)).name == PLAIN
    assert chat_format(tokenizer(PLAIN_TEMPLATE)).render(TALK) == chat_format(tokenizer(None)).render(TALK)


def test_without_an_end_token_a_line_parts_an_answer_from_what_follows() -> None:
    without_end = tokenizer(None)
    without_end.eos_token = None
    assert "You are welcome.\nUser: Is it new?" in chat_format(without_end).render(TALK)


def test_an_end_token_that_begins_turns_ends_no_answer() -> None:
    talker = kind_tokenizer(KINDS["chatml"])
    assert mistaken_end(talker) is None
    talker.eos_token = "<|im_end|>"
    assert mistaken_end(talker) is None
    talker.eos_token = "<|im_start|>"
    assert mistaken_end(talker) == (
        "takes '<|im_start|>' for its end token, which begins a turn in its chat template; what ends an answer there "
        "is '<|im_end|>'"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_of_no_kind_of_template_the_usual_end_token_is_mistaken(kind: str) -> None:
    talker = kind_tokenizer(KINDS[kind])
    for end in ("</s>", *KINDS[kind].ends):
        talker.eos_token = end
        assert mistaken_end(talker) is None


def test_a_system_message_stands_before_all() -> None:
    system = {"role": "system", "content": "Be brief."}
    assert plain_format().render([system, TALK[0]]) == "Be brief.\nUser: Thank you.\nAssistant:"


def test_behind_a_server_the_plain_format_ends_an_answer_with_a_line() -> None:
    assert plain_format().render(TALK).splitlines() == [
        "User: Thank you.", "Assistant: You are welcome.", "User: Is it new?", "Assistant:",
    ]  # fmt: skip


def test_a_backend_without_a_tokenizer_is_asked_as_its_plan_says() -> None:
    backend = RuleBackend("m")
    own, plain = (format_of(backend, own_template=own) for own in (True, False))
    assert (own.name, own.render(TALK[:1])) == (OWN, "<user>Thank you.")
    assert (plain.name, plain.stop_strings) == (PLAIN, PLAIN_STOPS)


@pytest.mark.parametrize("template", [None, CHAT_TEMPLATE])
def test_a_stored_template_is_the_one_that_transformers_loads(tmp_path: Path, template: str | None) -> None:
    from transformers import AutoTokenizer

    tokenizer(template).save_pretrained(tmp_path)
    assert stored_template(tmp_path) == AutoTokenizer.from_pretrained(tmp_path).chat_template == template


NAMED = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "a template"}]


@pytest.mark.parametrize("written", ["a template", NAMED])
def test_an_older_tokenizer_has_its_template_in_its_settings(tmp_path: Path, written: Any) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": written}))
    assert stored_template(tmp_path) == "a template"


def test_a_folder_without_settings_or_with_torn_ones_has_no_template(tmp_path: Path) -> None:
    assert stored_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_')
    assert stored_template(tmp_path) is None
