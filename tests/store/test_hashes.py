from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.store import hashes as fingerprint
from mplus_eval.store.hashes import (
    cache_directory,
    hash_components,
    hash_file,
    hash_files,
    hash_text,
    tokenizer_hash,
    weights_hash,
)
from tests.conftest import TinyModel


@pytest.fixture
def checkpoint(tiny_model: TinyModel, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model(), tmp_path / "checkpoint"))


def test_a_texts_hash_is_sha_256() -> None:
    assert hash_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_half_a_surrogate_pair_has_a_hash_too() -> None:
    assert hash_text("\ud800") != hash_text("?")


def test_components_have_one_hash_whatever_their_order() -> None:
    assert hash_components({"a": "1", "b": "2"}) == hash_components({"b": "2", "a": "1"})
    assert hash_components({"a": "1", "b": "2"}) != hash_components({"a": "2", "b": "1"})


def test_files_are_told_by_name_and_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("y")
    both = hash_files([one, two])
    assert both == hash_files([two, one])
    one.write_text("y")
    two.write_text("x")
    assert hash_files([one, two]) != both
    assert hash_files([]) == ""


def test_the_same_checkpoint_has_the_same_hash_wherever_it_lies(checkpoint: Path, tiny_model: TinyModel) -> None:
    assert weights_hash(checkpoint) == weights_hash(tiny_model())
    assert tokenizer_hash(checkpoint) == tokenizer_hash(tiny_model())
    assert weights_hash(checkpoint) != weights_hash(tiny_model(seed=1))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "generation_config.json"])
def test_weights_and_configuration_change_the_hash(checkpoint: Path, name: str) -> None:
    before = weights_hash(checkpoint)
    (checkpoint / name).write_bytes((checkpoint / name).read_bytes() + b" ")
    assert weights_hash(checkpoint) != before


def test_a_checkpoints_code_changes_the_hash_and_the_trainers_state_does_not(checkpoint: Path) -> None:
    before = weights_hash(checkpoint)
    for name in ("training_args.bin", "optimizer.bin", "README.md"):
        (checkpoint / name).write_text("x")
    assert weights_hash(checkpoint) == before
    (checkpoint / "modeling.py").write_text("x")
    assert weights_hash(checkpoint) != before


def test_a_tokenizers_hash_is_not_that_of_the_weights(checkpoint: Path) -> None:
    weights, tokenizer = weights_hash(checkpoint), tokenizer_hash(checkpoint)
    (checkpoint / "tokenizer.json").write_text("{}")
    assert weights_hash(checkpoint) == weights
    assert tokenizer_hash(checkpoint) != tokenizer


def test_a_blob_of_the_hubs_cache_is_taken_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    blob = tmp_path / "blobs" / ("ab" * 32)
    blob.write_text("never read")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert hash_file(link) == "ab" * 32


def test_a_blob_that_was_written_after_its_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    blob = tmp_path / "blobs" / ("ab" * 32)
    blob.write_bytes(b"as it came")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    blob.write_bytes(b"as somebody left it")
    os.utime(blob, ns=(0, link.lstat().st_mtime_ns + 10**9))
    assert hash_file(link) == hashlib.sha256(b"as somebody left it").hexdigest()


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read whole, where five bytes are a big file and every change is long ago."""
    monkeypatch.setattr(fingerprint, "_BIG_FILE", 4)
    monkeypatch.setattr(fingerprint, "_UNSETTLED", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files: list[Path] = []
    plain = fingerprint._read_hash
    monkeypatch.setattr(fingerprint, "_read_hash", lambda path: files.append(path) or plain(path))
    return files


def overwritten(path: Path, content: bytes) -> None:
    """Write over a file and set its time back."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_file_of_the_same_size_and_time_is_another_file(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    before = hash_file(path)
    overwritten(path, b"54321")
    assert hash_file(path) == hashlib.sha256(b"54321").hexdigest() != before


def test_what_lies_between_the_sampled_blocks_is_told_by_the_inodes_time(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_sample", lambda path, size: "the same")
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    hash_file(path)
    changed = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == changed:
        overwritten(path, b"54321")
    assert hash_file(path) == hashlib.sha256(b"54321").hexdigest()


def test_a_file_system_that_keeps_no_other_times_is_helped_by_sampled_blocks(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"12345" * 2000)
    frozen, plain = path.stat(), Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **rest: frozen if self.name == "weights" else plain(self, **rest))
    before = hash_file(path)
    path.write_bytes(b"12345" * 1999 + b"54321")
    assert hash_file(path) != before


def test_a_hash_is_not_remembered_while_a_second_change_could_bear_the_same_time(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_UNSETTLED", 10**12)
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    assert hash_file(path) == hash_file(path)
    assert read == [path, path]


def test_a_big_files_hash_is_remembered_until_the_file_changes(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    expected = hashlib.sha256(b"12345").hexdigest()
    assert [hash_file(path), hash_file(path)] == [expected, expected]
    assert len(read) == 1
    path.write_bytes(b"123456")
    assert hash_file(path) == hashlib.sha256(b"123456").hexdigest()
    assert len(read) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_BIG_FILE", 4)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    path = tmp_path / "weights"
    path.write_bytes(b"12345")
    assert hash_file(path) == hashlib.sha256(b"12345").hexdigest()


def test_the_cache_lies_where_the_desktops_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_directory() == Path("/caches/mplus-eval")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/user")
    assert cache_directory() == Path("/home/user/.cache/mplus-eval")


def test_a_remembered_hash_in_which_a_bit_was_flipped_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprint, "_BIG_FILE", 0)
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    os.utime(path, (0, 0))
    monkeypatch.setattr(fingerprint, "_UNSETTLED", 0)
    right = hash_file(path)
    (memory,) = (tmp_path / "cache" / "mplus-eval" / "hashes").iterdir()
    text = memory.read_text()
    memory.write_text(text.replace(right, right[:-1] + ("0" if right[-1] != "0" else "1")))
    assert hash_file(path) == right
    assert memory.read_text() == text
    memory.unlink()
    memory.mkdir()
    assert hash_file(path) == right


def test_without_a_home_a_cache_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="XDG_CACHE_HOME"):
        cache_directory()
