from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_TEMPLATE
from mplus_eval.training.chat import last_user_message, load_tokenizer
from tests.conftest import TinyModel


def test_the_plain_template_writes_the_plain_format() -> None:
    from jinja2 import Template

    messages = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]
    render = Template(PLAIN_TEMPLATE).render
    given = {"bos_token": "<s>", "eos_token": "</s>"}
    assert render(messages=messages, **given) == "<s>User: Hello.\nAssistant: Hi.</s>"
    asked = render(messages=messages[:1], add_generation_prompt=True, **given)
    assert asked == "<s>User: Hello.\nAssistant:"


def test_a_base_without_a_template_gets_the_plain_one_and_a_file_replaces_it(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    assert load_tokenizer(tiny_model()).chat_template == PLAIN_TEMPLATE
    own = tmp_path / "own.jinja"
    own.write_text("{{ messages[0].content }}")
    assert load_tokenizer(tiny_model(), own).chat_template == "{{ messages[0].content }}"


def test_a_tokenizer_without_an_end_token_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(SpecError, match="has no end token"):
        load_tokenizer(tmp_path)


def test_a_conversation_without_a_user_asks_nothing() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    assert last_user_message(said) == "b"
    assert last_user_message([{"role": "system", "content": "x"}]) == ""
