"""Which tokenizers count the same tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.vocabulary import vocabulary_hash
from tests.tiny_models import CHAT_TEMPLATE, build_tokenizer


def stored(folder: Path, change: Callable[[Any], object] | None = None, vocabulary: int = 300) -> Path:
    """A tokenizer's directory, after a change of the tokenizer."""
    tokenizer = build_tokenizer(vocabulary)
    if change is not None:
        change(tokenizer)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return vocabulary_hash(stored(tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize(
    "change",
    [
        lambda tokenizer: tokenizer.add_special_tokens({"pad_token": "<pad>"}),
        lambda tokenizer: tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}),
        lambda tokenizer: setattr(tokenizer, "chat_template", CHAT_TEMPLATE),
        lambda tokenizer: setattr(tokenizer, "model_max_length", 77),
    ],
    ids=["a padding token", "tokens of a chat", "a template", "a length"],
)
def test_what_cuts_no_text_otherwise_is_the_same_vocabulary(plain: str, tmp_path: Path, change: Any) -> None:
    assert vocabulary_hash(stored(tmp_path, change)) == plain


def test_the_way_in_which_the_file_is_written_does_not_matter(plain: str, tmp_path: Path) -> None:
    file = stored(tmp_path) / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"]["vocab"] = dict(reversed(content["model"]["vocab"].items()))
    file.write_text(json.dumps(content, indent=4))
    assert vocabulary_hash(tmp_path) == plain


def test_two_pieces_in_each_others_place_are_another_vocabulary(plain: str, tmp_path: Path) -> None:
    file = stored(tmp_path) / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(content))
    assert vocabulary_hash(tmp_path) != plain


def test_another_number_of_pieces_is_another_vocabulary(plain: str, tmp_path: Path) -> None:
    assert vocabulary_hash(stored(tmp_path, vocabulary=310)) != plain


def test_files_without_a_tokenizer_json_are_read_by_transformers(plain: str, tmp_path: Path) -> None:
    content = json.loads((stored(tmp_path / "whole") / "tokenizer.json").read_text())["model"]
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
    (folder / "merges.txt").write_text("".join(" ".join(pair) + "\n" for pair in content["merges"]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "unk_token": "</s>", "bos_token": "<s>", "eos_token": "</s>"})
    )
    assert vocabulary_hash(folder) == plain


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model": {"vocab": 3}}'])
def test_of_what_cannot_be_read_equal_files_are_one_vocabulary(tmp_path: Path, content: str) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(content)
    assert vocabulary_hash(tmp_path / "one") == vocabulary_hash(tmp_path / "other") != ""


def test_a_server_a_file_and_an_empty_folder_have_none_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert [vocabulary_hash(place) for place in (None, tmp_path / "model.gguf", tmp_path)] == ["", "", ""]
