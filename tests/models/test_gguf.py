from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.gguf import GgufError, choose_gguf, gguf_names, package_faults, read_gguf
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf


@pytest.fixture(scope="module")
def file(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf", tiny_model(architecture="llama"), kind="Q8_0")


def test_a_file_says_the_same_as_to_the_package_gguf(file: Path) -> None:
    from gguf import GGUFReader

    reader = GGUFReader(file)
    theirs = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    read = read_gguf(file)
    assert dict(read.settings) == theirs
    assert sum(read.n_weights.values()) == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert set(read.n_weights) == {"Q8_0", "F32"}


def test_quantization_is_named_as_the_file_names_it_else_by_most_of_its_weights(file: Path) -> None:
    read = read_gguf(file)
    assert read.quantization == "GGUF Q8_0"
    assert type(read)(file, {"general.file_type": 15}, {}).quantization == "GGUF Q4_K_M"
    assert type(read)(file, {"general.file_type": 0}, {}).quantization == "GGUF F32"
    assert type(read)(file, {}, {"F32": 10, "Q4_K": 90, "Q6_K": 20}).quantization == "GGUF Q4_K"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: b"", "is not a whole GGUF file (0 bytes)"),
        (lambda content: b"PK" + content[2:], "is not a GGUF file"),
        (lambda content: content[:4] + b"\x01" + content[5:], "is GGUF version 1"),
        (lambda content: content[:1000], "is not a whole GGUF file (its header is torn)"),
        (lambda content: content[:-100], "is not a whole GGUF file ("),
        (lambda content: content[:8] + b"\xff" * 8 + content[16:], "is not a whole GGUF file (its header is torn)"),
    ],
    ids=["empty", "other", "old", "torn header", "torn weights", "noise"],
)
def test_a_damaged_file_is_told(file: Path, tmp_path: Path, damage: Any, words: str) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(damage(file.read_bytes()))
    with pytest.raises(GgufError) as caught:
        read_gguf(broken)
    assert str(caught.value).startswith(f"{broken} ")
    assert words in str(caught.value)


def test_a_file_that_changed_is_read_again(file: Path, tmp_path: Path) -> None:
    changing = tmp_path / "m.gguf"
    changing.write_bytes(file.read_bytes())
    assert read_gguf(changing) is read_gguf(changing)
    changing.write_bytes(b"")
    with pytest.raises(GgufError):
        read_gguf(changing)


def test_what_a_model_sees_with_is_no_model() -> None:
    assert gguf_names(["b.gguf", "mmproj-f16.gguf", "a.gguf", "config.json", "old/c.gguf"]) == ["a.gguf", "b.gguf"]


@pytest.mark.parametrize(
    ("names", "wanted", "chosen", "fault"),
    [
        (["a.gguf"], None, "a.gguf", None),
        (["a.gguf", "b.gguf"], "b.gguf", "b.gguf", None),
        (["b.gguf", "a.gguf"], None, None, "it holds 2 GGUF files; say which with file=NAME: a.gguf, b.gguf"),
        ([], None, None, "it holds 0 GGUF files; say which with file=NAME: none"),
        (["a.gguf"], "c.gguf", None, "it has no file 'c.gguf'; its GGUF files are: a.gguf"),
    ],
)
def test_the_only_file_or_the_one_that_is_named(names: list[str], wanted: Any, chosen: Any, fault: Any) -> None:
    assert choose_gguf(names, wanted, "it", "here") == (chosen, [f"here: {fault}"] if fault else [])


def test_a_piece_of_a_file_is_refused_with_the_way_to_join_it() -> None:
    name, (fault,) = choose_gguf(["m-00001-of-00002.gguf"], None, "it", "here")
    assert name is None
    assert fault.startswith("here: m-00001-of-00002.gguf is one of 2 pieces")
    assert "llama-gguf-split --merge" in fault


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert package_faults("here") == []
    monkeypatch.setattr("mplus_eval.models.gguf.find_spec", lambda name: None)
    assert package_faults("here") == ["here: a GGUF file needs the package gguf: pip install 'mplus-eval[gguf]'"]
