from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mplus_eval.data.files import _damage, changes, file_hashes, files_of, own_cache, seal_cache
from mplus_eval.errors import SpecError


def test_files_are_called_by_the_dataset_and_their_path_in_it(tmp_path: Path) -> None:
    for name in ("README.md", "anatomy/test.parquet", ".cache/huggingface/download/notes", "__pycache__/x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert files_of(tmp_path, "cais/mmlu") == {
        "cais/mmlu: README.md": tmp_path / "README.md",
        "cais/mmlu: anatomy/test.parquet": tmp_path / "anatomy" / "test.parquet",
    }
    assert files_of(tmp_path / "README.md", "the card") == {"the card": tmp_path / "README.md"}


def test_what_was_read_is_kept_under_path_and_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("x")
    first = own_cache([one])
    assert first == own_cache([one]) != own_cache([two])
    one.write_text("y")
    assert own_cache([one]) != first
    assert Path(first).parent.name == "mplus-eval"


def test_a_file_that_several_read_is_hashed_by_whom_one_likes(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    assert file_hashes({"name": tmp_path / "one"}, lambda path: path.name * 10) == {"name": "oneoneoneoneoneo"}


def test_what_is_not_as_it_was_is_said_file_by_file() -> None:
    before, now = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert changes(before, now) == ["b changed", "d is new", "c is gone"]
    assert changes(before, before) == []


def test_what_is_kept_and_damaged_is_set_aside_so_that_the_files_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("x")
    kept = Path(own_cache([tmp_path / "one"]))
    for name in ("a", "b"):
        (kept / name).mkdir(parents=True)
        (kept / name / "json-test.arrow").write_bytes(b"rows " + name.encode())
        seal_cache(kept)
    _damage.cache_clear()
    assert own_cache([tmp_path / "one"]) == str(kept)
    assert kept.is_dir()
    (kept / "a" / "json-test.arrow").write_bytes(b"rowz a")
    _damage.cache_clear()
    assert own_cache([tmp_path / "one"]) == str(kept)
    assert not kept.exists()
    assert kept.with_name(f"{kept.name}.damaged").is_dir()


@pytest.mark.parametrize(("content", "line"), [("null\n{}\n", 1), ('{"a": 1}\n\n  null \n', 3), ('null {"a": 1}\n', 1)])
def test_a_row_that_is_null_is_refused_since_arrow_would_end_the_process(
    tmp_path: Path, content: str, line: int
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(SpecError, match=f"rows.jsonl, line {line}: an object is expected, found null"):
        own_cache([file])
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(content.encode()))
    with pytest.raises(SpecError, match=f"line {line}"):
        own_cache([packed])


def test_null_within_a_row_is_none_of_that(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('[{"a": 1},\nnull]\n')
    assert own_cache([file])
    file.write_text('{"a": [{"b": 1},\n  null,\n  null\n]}\n{"null": null}\n')
    assert own_cache([file])
