"""A function that only a suite names comes from the package, or from a folder that was named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.judges import suite_judge_faults
from mplus_eval.judges.function import refuse_unnamed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module, which leaves a file when it is imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "their_judge.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef shorter(*_): return 0.0\n"
    )
    yield tmp_path
    sys.modules.pop("their_judge", None)


def test_the_packages_own_is_called() -> None:
    assert suite_judge_faults("function:mplus_eval.demo.judge:rule_score", None) == []


def test_another_is_refused_in_one_line_that_says_how_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for judge in ("their_judge:shorter", "os:system", "no-module:x", "mplus_evaluation:x"):
        (fault,) = suite_judge_faults(f"function:{judge}", None)
        module = judge.partition(":")[0]
        assert fault == (
            f"judge 'function:{judge}': the suite names code outside the package, in module {module!r}; name it again "
            f"with --judge function:{judge}, or its folder with --tasks-dir"
        )
    assert not (folder / "ran").exists()


def test_one_in_the_folder_that_was_named_is_called(folder: Path) -> None:
    assert suite_judge_faults("function:their_judge:shorter", folder) == []
    assert (folder / "ran").exists()


def test_a_module_of_that_name_elsewhere_is_not_taken_for_it(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "their_judge.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(elsewhere)
    assert refuse_unnamed("their_judge:shorter", folder) is not None
    assert refuse_unnamed("os:system", folder) is not None


def test_other_judges_are_looked_at_as_ever() -> None:
    (fault,) = suite_judge_faults("nobody", None)
    assert fault.startswith("judge 'nobody': accepted: ")
