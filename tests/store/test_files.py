from __future__ import annotations

import errno
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mplus_eval.store.files import clear_leftovers, move_away, set_aside, write_json, write_new, write_whole


def test_a_file_is_written_below_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "below" / "file"
    write_whole(path, "ä\n")
    assert path.read_bytes() == b"\xc3\xa4\n"
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_what_stood_there_and_no_scrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_synced_before_the_file_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "file", list[tuple[bool, bool]]()
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    write_whole(path, "text")
    assert synced == [(False, False), (True, True)]


def test_no_folder_is_opened_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = SimpleNamespace(name="nt", getpid=os.getpid, fsync=os.fsync)
    monkeypatch.setattr("mplus_eval.store.files.os", windows)
    write_whole(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


def test_of_two_writers_of_a_file_each_writes_it_whole(tmp_path: Path) -> None:
    path, texts = tmp_path / "file", {letter * 100_000 for letter in "abcdefgh"}

    def write_and_read(text: str) -> str:
        write_whole(path, text)
        return path.read_text()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(write_and_read, texts)) <= texts
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, {"name": "Kübler", "n": 1})
    assert path.read_text(encoding="utf-8") == '{\n  "name": "Kübler",\n  "n": 1\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"n": object()})
    assert json.loads(path.read_text(encoding="utf-8"))["n"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_points_to_left_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "file", "ours")
    assert ((tmp_path / "elsewhere").read_text(), (tmp_path / "file").read_text()) == ("theirs", "ours")
    assert not (tmp_path / "file").is_symlink()


def test_what_is_set_aside_replaces_what_was_before_where_both_are_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in ("one", "two"):
        path.write_text(text)
        assert set_aside(path) == tmp_path / "file.damaged"
    assert (tmp_path / "file.damaged").read_text() == "two"
    path.mkdir()
    assert set_aside(path) == tmp_path / "file.damaged1"


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    from mplus_eval.store.files import _machine

    nobody = 2**22 + 1
    left = [tmp_path / "deep" / f".part.parquet.{_machine()}.{nobody}.7", tmp_path / f".a.0badc0de.{nobody}.7"]
    kept = [
        tmp_path / f".part.parquet.{_machine()}.{os.getpid()}.7",  # is being written
        tmp_path / f".b.0badc0de.{nobody}.7",  # perhaps too, on another machine
        tmp_path / ".lock",
        tmp_path / f"part.{_machine()}.{nobody}.7",  # somebody's
    ]
    for path in (*left, *kept):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    os.utime(left[1], (0, 0))
    clear_leftovers([tmp_path])
    assert [path.exists() for path in (*left, *kept)] == [False, False, True, True, True, True]


def test_a_new_file_is_written_by_one_process_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "part"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [each.name for each in path.parent.iterdir()] == ["part"]


def test_what_is_moved_away_is_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"stale")
    assert move_away(path, b"stale")
    assert not path.exists()
    assert move_away(path, b"stale")
    path.write_bytes(b"another's")
    assert not move_away(path, b"stale")
    assert path.read_bytes() == b"another's"
    assert [each.name for each in tmp_path.iterdir()] == ["part"]
