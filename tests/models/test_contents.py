from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.contents import content_faults
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.chat_templates import CHATML
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf
from tests.tiny_models import CHAT_TEMPLATE, retokenize


def faults(source: Path, *, talks: bool = True, **keys: Any) -> list[str]:
    model = ModelSpec(name="m", source=str(source), **keys)
    assert model_faults(model, "hf") == []
    return content_faults(model, resolve_source(model, "hf"), talks=talks)


@pytest.fixture
def checkpoint(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A copy to be damaged, of 320 rows."""
    return Path(shutil.copytree(tiny_model(), tmp_path / "checkpoint"))


def edit(file: Path, **changed: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def add_token(checkpoint: Path, token: str, **keys: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokenizer.add_special_tokens({"additional_special_tokens": [token]})
    for key, value in keys.items():
        setattr(tokenizer, key, value)
    tokenizer.save_pretrained(checkpoint)


def test_a_whole_checkpoint_has_no_fault(checkpoint: Path, tmp_path: Path) -> None:
    assert faults(checkpoint) == []
    assert faults(write_gguf(tmp_path / "m.gguf", checkpoint)) == []


@pytest.mark.parametrize("content", ['{"version": "1.0"}', '{"model": {"type": "BPE", "vocab": 7}}'])
def test_a_tokenizer_that_is_json_and_cannot_be_loaded(checkpoint: Path, content: str) -> None:
    (checkpoint / "tokenizer.json").write_text(content)
    (line,) = faults(checkpoint, talks=False)
    assert line.startswith(f"model 'm': the tokenizer in {checkpoint} cannot be loaded (")
    assert line.endswith("); name a whole one with tokenizer=DIR")
    assert "\n" not in line


def test_a_tokenizer_without_its_merges_is_refused_with_the_way_out(tiny_model: TinyModel, tmp_path: Path) -> None:
    lost = retokenize(tiny_model(), tmp_path / "lost", merges=[])
    (line,) = faults(lost, talks=False)
    assert line.startswith("model 'm': its tokenizer writes ' the' in 4 tokens")
    assert faults(lost, tokenizer=str(tiny_model())) == []


def test_a_broken_template_stands_in_the_way_of_talk_alone(checkpoint: Path) -> None:
    (checkpoint / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }")
    (line,) = faults(checkpoint)
    assert line.startswith("model 'm': its chat template cannot be rendered (TemplateSyntaxError")
    assert faults(checkpoint, chat_template=True, talks=False) == [line]
    assert faults(checkpoint, talks=False) == []


def test_an_end_token_that_begins_turns_in_the_template_stands_in_the_way_of_talk(checkpoint: Path) -> None:
    add_token(checkpoint, "<|im_end|>", chat_template=CHATML)
    add_token(checkpoint, "<|im_start|>", eos_token="<|im_start|>")
    edit(checkpoint / "config.json", vocab_size=322)
    (line,) = faults(checkpoint)
    assert line == (
        "model 'm': its tokenizer takes '<|im_start|>' for its end token, which begins a turn in its chat template; "
        "what ends an answer there is '<|im_end|>'; name the folder of a whole one with tokenizer=DIR"
    )
    assert faults(checkpoint, talks=False) == []


def test_a_template_of_a_file_is_looked_at_in_its_place(checkpoint: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jinja", tmp_path / "bad.jinja"
    good.write_text(CHAT_TEMPLATE)
    bad.write_text("{{ messages[7].content }}")
    (checkpoint / "chat_template.jinja").write_text("{% for")
    assert faults(checkpoint, chat_template=str(good)) == []
    (line,) = faults(checkpoint, chat_template=str(bad))
    assert "chat template cannot be rendered" in line


def test_a_chat_token_beyond_the_embedding_is_refused_by_name(checkpoint: Path) -> None:
    (checkpoint / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    add_token(checkpoint, "<|assistant|>", chat_template=CHAT_TEMPLATE)
    (line,) = faults(checkpoint)
    assert line.startswith(
        f"model 'm': the token '<|assistant|>' (id 320) of its chat template lies beyond the 320 rows of {checkpoint}: "
    )
    assert line.endswith("with tokenizer=DIR, or another template with chat_template=FILE")
    assert faults(checkpoint, talks=False) == []


def test_a_token_beyond_the_embedding_that_nothing_asks_for_is_none_of_it(checkpoint: Path) -> None:
    add_token(checkpoint, "<pad>", pad_token="<pad>")
    assert faults(checkpoint) == []


def test_an_end_token_beyond_the_embedding_is_refused_by_name(checkpoint: Path) -> None:
    add_token(checkpoint, "<end>", eos_token="<end>")
    (line,) = faults(checkpoint, talks=False)
    assert "the token '<end>' (id 320) lies beyond the 320 rows" in line
