from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.judges.cache import JudgeVerdict, VerdictCache

VERDICT = JudgeVerdict("A", "It is better. \u201cQuoted\u201d \ud83d?", 412, 31)
KEY = "5d41402abc"


def test_a_verdict_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "not" / "yet")
    assert cache.get(KEY) is None
    cache.put(KEY, VERDICT)
    assert cache.get(KEY) == VERDICT


@pytest.mark.parametrize("content", ["", '{"value": "A", "rea', "[]", '{"value": "A"}', "null"])
def test_a_damaged_file_is_no_verdict(tmp_path: Path, content: str) -> None:
    cache = VerdictCache(tmp_path)
    cache.put(KEY, VERDICT)
    next(tmp_path.rglob("*.json")).write_text(content)
    assert cache.get(KEY) is None


def test_nothing_but_whole_files_is_left(tmp_path: Path) -> None:
    VerdictCache(tmp_path).put(KEY, VERDICT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


def test_without_a_directory_nothing_is_kept() -> None:
    cache = VerdictCache(None)
    cache.put(KEY, VERDICT)
    assert cache.get(KEY) is None
