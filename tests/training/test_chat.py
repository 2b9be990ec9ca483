from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_TEMPLATE
from mplus_eval.training.chat import last_user_message, load_tokenizer
from tests.chat_templates import KINDS, kind_tokenizer
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


def test_an_end_token_that_begins_turns_is_refused_with_the_one_that_ends_them(tmp_path: Path) -> None:
    kind_tokenizer(KINDS["chatml"], eos_token="<|im_start|>").save_pretrained(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_tokenizer(tmp_path)
    assert caught.value.faults == (
        f"base {tmp_path}: its tokenizer takes '<|im_start|>' for its end token, which begins a turn in its chat "
        "template; what ends an answer there is '<|im_end|>'; name it as eos_token in tokenizer_config.json",
    )


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
