from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.judges.cache import JudgeVerdict, VerdictCache

VERDICT = JudgeVerdict("A", "It is better. \u201cQuoted\u201d \U0001f600?", 412, 31)
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


def test_a_verdict_that_a_bit_was_flipped_in_is_none_and_set_aside(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path)
    cache.put(KEY, VERDICT)
    path = next(tmp_path.rglob("*.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"value": "A"', '"value": "C"'), encoding="utf-8")
    assert cache.get(KEY) is None
    assert [each.name for each in path.parent.iterdir()] == [f"{KEY}.json.damaged"]
    path.mkdir()
    assert cache.get(KEY) is None
    cache.put(KEY, VERDICT)
    assert cache.get(KEY) == VERDICT


def test_half_a_surrogate_pair_that_an_earlier_version_kept_can_be_stored(tmp_path: Path) -> None:
    path = tmp_path / KEY[:2] / f"{KEY}.json"
    path.parent.mkdir()
    path.write_text('{"value": "A", "reason": "x \\ud83d", "tokens_in": 1, "tokens_out": 1}')
    assert VerdictCache(tmp_path).get(KEY) == JudgeVerdict("A", "x ?", 1, 1)


def test_nothing_but_whole_files_is_left(tmp_path: Path) -> None:
    VerdictCache(tmp_path).put(KEY, VERDICT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


def test_without_a_directory_nothing_is_kept() -> None:
    cache = VerdictCache(None)
    cache.put(KEY, VERDICT)
    assert cache.get(KEY) is None
