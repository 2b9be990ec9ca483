from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.models.thinking import KNOWN
from mplus_eval.models.thinking_template import ThinksFirst, added_tokens, thinks_before_choices
from mplus_eval.spec.model import ModelSpec
from tests.models.test_thinking import BEGINS, QWEN


def model(directory: Path, template: str | None, put_into: str = "own 123", **keys: Any) -> ResolvedModel:
    directory.mkdir(exist_ok=True)
    if template is not None:
        (directory / "chat_template.jinja").write_text(template, encoding="utf-8")
    tokens = {"7": {"content": "<think>"}, "8": {"content": "</think>"}}
    settings = {"added_tokens_decoder": tokens, "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": None}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    (directory / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": 0, "content": "<s>"}]}))
    spec = ModelSpec(name="m", source=str(directory), **{"chat_template": True, **keys})
    return ResolvedModel(spec, "hf", ModelLocation(directory), "weights", "tokenizer", put_into)


@pytest.mark.parametrize(
    ("template", "keys", "expected"),
    [
        (BEGINS, {}, ThinksFirst(KNOWN[0], can_be_told=False)),
        (QWEN, {}, ThinksFirst(KNOWN[0], can_be_told=True)),
        (QWEN, {"enable_thinking": False}, None),
        (BEGINS, {"thinking": "none"}, None),
        ("{{ bos_token + messages[0].content }}", {}, None),
        (None, {}, None),
    ],
)
def test_a_template_that_has_the_model_reason_is_known_without_loading_anything(
    tmp_path: Path, template: str | None, keys: dict[str, Any], expected: ThinksFirst | None
) -> None:
    assert thinks_before_choices(model(tmp_path, template, **keys)) == expected


def test_plain_prompts_are_not_concerned_nor_a_server_without_a_tokenizer(tmp_path: Path) -> None:
    assert thinks_before_choices(model(tmp_path, BEGINS, "plain")) is None
    served = ResolvedModel(
        ModelSpec(name="m", source="http://h/v1", chat_template=True), "openai", ModelLocation(None), "w", "t", "own 1"
    )
    assert thinks_before_choices(served) is None


def test_a_template_of_a_file_is_the_one_that_counts(tmp_path: Path) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text(BEGINS, encoding="utf-8")
    assert thinks_before_choices(model(tmp_path / "m", "{{ messages }}", "file 1", chat_template=str(file))) is not None


def test_tokens_are_read_without_a_tokenizer_and_a_broken_file_has_none(tmp_path: Path) -> None:
    model(tmp_path / "m", None)
    assert added_tokens(tmp_path / "m") == {"<s>", "<think>", "</think>"}
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "tokenizer_config.json").write_text("[]")
    assert added_tokens(tmp_path) == set()
