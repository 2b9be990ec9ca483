from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import mplus_eval
from mplus_eval.pipeline import finished as module
from mplus_eval.pipeline.finished import STAMP, listing
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import load_suite
from tests.toy import write_tasks

IS_FINISHED = "finished, and nothing that it was made of has changed"


class Lines(RunProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model) -> Path:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("finished")
    write_tasks(folder / "tasks")
    shutil.copytree(tiny_model(), folder / "base")
    rerun(folder)
    return folder


def rerun(folder: Path, **options: object) -> tuple[mplus_eval.Run, bool]:
    """The same command; and whether it was answered from what is stored."""
    lines = Lines()
    suite = folder / "tasks" / "toy.suite.yaml"
    given = {"suite": str(suite), "tasks_dir": folder / "tasks", "output": folder / "run", **options}
    run = mplus_eval.compare({"base": str(folder / "base")}, progress=lines, **given)
    return run, any(IS_FINISHED in line for line in lines.said)


@pytest.fixture
def folder(made: Path) -> Path:
    """A finished run; whatever the test before changed was put right by the ordinary way."""
    rerun(made)
    assert rerun(made)[1]
    return made


def test_a_finished_run_answers_from_what_is_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = (folder / "run" / "comparison.json").read_bytes()
    monkeypatch.setattr("mplus_eval.pipeline.validate.validate", None)
    run, is_stored = rerun(folder)
    assert is_stored
    assert run.comparison == mplus_eval.load(folder / "run").comparison
    assert (folder / "run" / "comparison.json").read_bytes() == stored


def test_nothing_heavy_is_imported_for_it(folder: Path) -> None:
    code = (
        "import sys, mplus_eval\n"
        f"run = mplus_eval.compare({{'base': {str(folder / 'base')!r}}}, output={str(folder / 'run')!r},\n"
        f"    suite={str(folder / 'tasks' / 'toy.suite.yaml')!r}, tasks_dir={str(folder / 'tasks')!r})\n"
        "heavy = {'torch', 'transformers', 'lm_eval', 'pandas', 'scipy', 'matplotlib', 'datasets'}\n"
        "print(run.comparison.suite, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "toy []\n"


@pytest.mark.parametrize(
    "changed", ["base/config.json", "tasks/toy.suite.yaml", "run/comparison.json", "run/report.html"]
)
def test_a_file_that_was_touched_takes_the_ordinary_way(folder: Path, changed: str) -> None:
    path = folder / changed
    path.write_bytes(path.read_bytes())
    assert not rerun(folder)[1]
    assert rerun(folder)[1]


def test_a_part_that_is_gone_is_made_again(folder: Path) -> None:
    part = next((folder / "run" / "outcomes").rglob("part-*.parquet"))
    part.unlink()
    assert not rerun(folder)[1]
    assert part.is_file()


def test_another_question_is_asked(folder: Path) -> None:
    assert not rerun(folder, seed=1)[1]


def test_where_times_come_from_changes_nothing_of_a_run(folder: Path) -> None:
    assert rerun(folder, from_run=folder / "run")[1]


def test_who_computes_changes_nothing_of_a_run(folder: Path) -> None:
    assert rerun(folder, devices="cpu,cpu")[1]
    assert rerun(folder, executor="shared")[1]


def test_other_versions_ask_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "versions", lambda: {"torch": "0.1"})
    assert not rerun(folder)[1]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"files": 3}', json.dumps({"spec": {}, "left": None})])
def test_a_damaged_stamp_is_none(folder: Path, content: str) -> None:
    (folder / "run" / STAMP).write_text(content)
    assert not rerun(folder)[1]


def test_a_run_with_something_missing_leaves_no_stamp(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.capability.axis.generate", None)
    shutil.rmtree(folder / "run")
    run, _ = rerun(folder)
    assert run.comparison.missing
    assert not (folder / "run" / STAMP).exists()


def test_a_listing_changes_with_names_sizes_and_times_and_leaves_out_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a").write_text("a")
    first = listing(tmp_path, without=tmp_path / "in")
    (tmp_path / "in" / "b").write_text("b")
    assert listing(tmp_path, without=tmp_path / "in") == first
    assert listing(tmp_path) != first
    os.utime(tmp_path / "a", ns=(1, 1))
    assert listing(tmp_path, without=tmp_path / "in") != first
    assert listing(tmp_path / "absent") == ""


def test_a_folder_too_large_to_list_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).touch()
    assert listing(tmp_path) == ""


def test_a_finished_run_is_logged_where_it_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[Path, tuple[str, ...]]] = []

    def log_run(path: Path, names: tuple[str, ...]) -> list[str]:
        logged.append((path, names))
        return []

    monkeypatch.setattr("mplus_eval.exports.trackers.log_run", log_run)
    assert rerun(folder, log_to=["tensorboard"])[1]
    assert logged == [(folder / "run", ("tensorboard",))]


def test_what_judges_are_made_of_is_listed_too(tmp_path: Path) -> None:
    for name in ("plus", "reward", "referee", "other"):
        (tmp_path / name).mkdir()
    location = SimpleNamespace(path=tmp_path / "plus", adapter=None, file=None, tokenizer=None)
    spec = CompareSpec.model_validate(
        {
            "models": [{"name": "plus", "source": str(tmp_path / "plus")}],
            "suite": "mini",
            "baseline": "plus",
            "output": tmp_path / "run",
            "judges": ["function:tests.toy:judge"],
        }
    )
    plan = SimpleNamespace(spec=spec, suite=load_suite("mini"), models=[SimpleNamespace(location=location)])
    read = module._read(cast("Plan", plan))
    assert {tmp_path / name for name in ("plus", "reward", "referee")} <= read
    assert tmp_path / "other" not in read
    assert Path(sys.modules["tests.toy"].__file__ or "").resolve() in read
