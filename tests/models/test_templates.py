"""A chat template is rendered once while planning, and a bad one is a line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mplus_eval.models import templates
from mplus_eval.models.chat_format import PLAIN_TEMPLATE
from mplus_eval.models.templates import special_tokens, template_faults
from tests.tiny_models import CHAT_TEMPLATE

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
WAY_OUT = "; chat_template=FILE takes another"


def here(template: str) -> str:
    """What the process that may be killed would say."""
    return templates._render_here(json.dumps([template, TOKENS]))


def test_a_sound_template_has_no_fault_and_is_told_tokens_and_switches() -> None:
    template = CHAT_TEMPLATE + "{{ bos_token + enable_thinking }}"
    assert template_faults(template, TOKENS, "model 'm'", {"enable_thinking": "yes"}) == []
    assert here(template) == "cannot be rendered (UndefinedError: 'enable_thinking' is undefined)"


def test_the_plain_template_and_one_that_refuses_a_system_are_sound() -> None:
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    assert here(PLAIN_TEMPLATE) == here(refuses + CHAT_TEMPLATE) == ""


def test_one_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "SECONDS", 1.0)
    # The sandbox would stop it too, a second later.
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    before = time.monotonic()
    (fault,) = template_faults(endless, TOKENS, "model 'm'")
    assert fault == f"model 'm': its chat template does not come to an end within 1 s{WAY_OUT}"
    assert time.monotonic() - before < 30


BROKEN = {
    "{{ 'a' * 200000000000 }}": "comes to no good end: it makes a value of more than 10,000,000 characters",
    "{{ 9 ** (9 ** 9) }}": "comes to no good end: it makes a number that is too large",
    "{% for message in messages %}": "cannot be rendered (TemplateSyntaxError, line 1: Unexpected end of template",
    "{{ raise_exception('tools\nonly') }}": "cannot be rendered (TemplateError: tools only)",
    "{{ messages[0].content + absent }}": "cannot be rendered (UndefinedError: 'absent' is undefined)",
    "{{ 1 // 0 }}": "cannot be rendered (ZeroDivisionError: ",
    "{{ ().__class__.__base__.__subclasses__() }}": "cannot be rendered (SecurityError: ",
    "{{ 'a' * 2000000 }}": "makes 2,000,000 characters of a dialogue of 1 short turns",
    "{% for part in messages[0].content if part.text %}no{% endfor %}": "does not show the words of the user",
    "{{ messages[0].content }}": "does not show the words of the assistant",
}


@pytest.mark.parametrize(("template", "says"), BROKEN.items())
def test_a_broken_one_is_one_line(template: str, says: str) -> None:
    fault = here(template)
    assert fault.startswith(says)
    assert "\n" not in fault


def test_special_tokens_are_read_from_the_files(tmp_path: Path) -> None:
    assert special_tokens(tmp_path) == {}
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": {"content": "<s>"}, "eos_token": "</s>"})
    )
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "pad_token": None, "x": 1}))
    assert special_tokens(tmp_path) == {"bos_token": "<s>", "eos_token": "<|im_end|>"}
