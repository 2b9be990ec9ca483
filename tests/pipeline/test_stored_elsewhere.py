"""Runs that are kept in storage (`--storage`), by the whole line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.pipeline.executors import worker
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.run import compare
from tests.toy import RuleBackend, write_checkpoint, write_tasks


class Line:
    """Runs of two models by rule, and how many requests the newest one made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.n_asked, self.dies_at, self.lines = folder, 0, "", list[str]()
        self.suite = write_tasks(folder / "tasks")
        self.models = {name: str(write_checkpoint(folder / name, len(name))) for name in ("base", "plus")}
        monkeypatch.setattr(worker, "load_backend", lambda _, spec, __: RuleBackend(spec.name, self.before))

    def before(self, requests: Sequence[Any]) -> None:
        if self.dies_at and any(self.dies_at in request.args[0] for request in requests):
            raise KeyboardInterrupt
        self.n_asked += len(requests)

    def run(self, output: str, **options: Any) -> bytes:
        self.n_asked, self.lines = 0, []
        progress = RunProgress()
        progress.say = self.lines.append  # type: ignore[method-assign]
        given = {"suite": str(self.suite), "tasks_dir": self.folder / "tasks", "output": self.folder / output}
        compare(self.models, progress=progress, **given, **options)
        return (self.folder / output / "comparison.json").read_bytes()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(tmp_path, monkeypatch)


def test_a_run_that_was_stopped_goes_on_elsewhere_from_what_its_storage_has(line: Line, tmp_path: Path) -> None:
    undisturbed, storage = line.run("undisturbed"), f"file://{tmp_path / 'storage'}"
    n_all, line.dies_at = line.n_asked, "say 0"
    with pytest.raises(KeyboardInterrupt):
        line.run("first", storage=storage)
    n_first, line.dies_at = line.n_asked, ""
    assert line.run("second", storage=storage) == undisturbed
    assert line.n_asked == n_all - n_first == n_all - 12 * 3
    assert f"2 parts were fetched from {storage}" in line.lines
    for name in ("comparison.json", "manifest.json", "report.html", "report.md"):
        there, here = (tmp_path / folder / name for folder in ("storage", "second"))
        assert there.read_bytes() == here.read_bytes()


def test_a_finished_run_is_made_again_from_its_storage_without_asking_anything(line: Line, tmp_path: Path) -> None:
    storage = f"file://{tmp_path / 'storage'}"
    first = line.run("first", storage=storage)
    assert line.run("second", storage=storage) == first
    assert line.n_asked == 0


def test_a_part_that_was_damaged_in_storage_is_computed_again(line: Line, tmp_path: Path) -> None:
    storage = f"file://{tmp_path / 'storage'}"
    first = line.run("first", storage=storage)
    part = tmp_path / "storage" / "answers" / "plus" / "words" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 4
    part.write_bytes(content)
    assert line.run("second", storage=storage) == first
    assert line.n_asked == 12
    assert line.run("third", storage=storage) == first
    assert line.n_asked == 0


def test_another_run_in_the_storage_is_refused_with_what_differs(line: Line, tmp_path: Path) -> None:
    storage = f"file://{tmp_path / 'storage'}"
    line.run("first", storage=storage)
    with pytest.raises(SpecError, match=r"second holds another run, with different .*limit"):
        line.run("second", storage=storage, limit=5)


def test_a_storage_that_cannot_be_written_is_refused_before_anything_is_asked(line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--storage file://.*cannot be written"):
        line.run("first", storage=f"file://{tmp_path / 'file'}/run")
    assert (line.n_asked, (tmp_path / "first").exists()) == (0, False)
