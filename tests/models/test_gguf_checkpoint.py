from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.models import gguf_checkpoint
from mplus_eval.models.gguf import GgufError
from mplus_eval.models.gguf_checkpoint import gguf_faults, laid_out
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf, write_vocabulary
from tests.tiny_models import CHAT_TEMPLATE


def faults(path: Path, *, own_tokenizer: bool = True) -> list[str]:
    return gguf_faults(path, "here", own_tokenizer=own_tokenizer)


def test_a_file_is_laid_out_once_as_a_checkpoint_is(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    path = tiny_model(architecture="llama")
    file = write_gguf(tmp_path / "m.gguf", path, chat_template=CHAT_TEMPLATE)
    assert faults(file) == []
    directory = laid_out(file)
    config = json.loads((directory / "config.json").read_text())
    assert (config["model_type"], config["vocab_size"], config["hidden_size"]) == ("llama", 320, 32)
    assert (directory / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    text = "The quick brown fox"
    assert AutoTokenizer.from_pretrained(directory)(text) == AutoTokenizer.from_pretrained(path)(text)
    assert laid_out(file) == directory
    assert [each.name for each in directory.parent.iterdir() if each.name.startswith(".")] == []


def test_what_was_laid_out_and_is_damaged_is_laid_out_again(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", tiny_model(architecture="llama"), chat_template="<{{ messages }}>")
    directory = laid_out(file)
    whole = (directory / "tokenizer.json").read_bytes()
    (directory / "tokenizer.json").write_bytes(whole[: len(whole) // 2])
    gguf_checkpoint._laid_out.cache_clear()
    assert laid_out(file) == directory
    assert (directory / "tokenizer.json").read_bytes() == whole


def test_the_same_bytes_under_another_name_are_the_same_directory(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", tiny_model(architecture="llama"))
    copy = tmp_path / "n.gguf"
    copy.write_bytes(file.read_bytes())
    assert laid_out(copy) == laid_out(file)


def test_a_tokenizer_that_cannot_be_built_is_told_unless_another_is_named(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    file = write_gguf(tmp_path / "m.gguf", tiny_model(architecture="llama"), tokenizer_pre="new-one")
    assert faults(file) == [
        f"here: {file}: its tokenizer is of kind 'gpt2', cut as 'new-one', which is not built from a file; "
        "name the model's own tokenizer with tokenizer=DIR"
    ]
    assert faults(file, own_tokenizer=False) == []


def test_an_architecture_that_transformers_does_not_know(
    tiny_model: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_vocabulary(tmp_path / "m.gguf", "gpt2", ["a"], [1])
    content = file.read_bytes().replace(
        b"\x05\x00\x00\x00\x00\x00\x00\x00llama", b"\x05\x00\x00\x00\x00\x00\x00\x00other"
    )
    file.write_bytes(content)
    (line,) = faults(file)
    assert line.startswith(f"here: {file} cannot be read by transformers (")
    assert "other" in line
    assert not list((gguf_checkpoint.cache_directory() / "gguf").glob(".*"))


def test_a_torn_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert faults(tmp_path / "m.gguf") == [f"here: {tmp_path / 'm.gguf'} is not a whole GGUF file (4 bytes)"]
    with pytest.raises(GgufError):
        gguf_checkpoint.read_gguf(tmp_path / "m.gguf")


def test_the_package_is_asked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.models.gguf.find_spec", lambda name: None)
    assert "pip install 'mplus-eval[gguf]'" in faults(tmp_path / "m.gguf")[0]
