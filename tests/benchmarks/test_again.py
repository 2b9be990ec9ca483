"""benchmarks/again.py: what a smaller run, made again, has in common with the whole."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.exports.runs import choice, write_every_axis
from tests.reports import build

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # they are not installed

import again as benchmark


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A run, and one that has two of the four items of a task, of one model."""
    whole, part = write_every_axis(tmp_path / "whole" / "run"), tmp_path / "part" / "run"
    shutil.copytree(whole, part, ignore=shutil.ignore_patterns("outcomes", "answers"))
    build.write_outcomes(part, "base", "mmlu", [choice(0, 1), choice(2, 0, log_probabilities=[-1.0, -3.5, -3.5])])
    return whole.parent, part.parent


def test_items_of_both_are_counted_and_log_probabilities_held_against_each_other(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    assert benchmark.main([str(run) for run in runs]) == 0
    rows = {" ".join(line.split()[:-2]): line.split()[-2:] for line in capsys.readouterr().out.splitlines()}
    assert rows["run base mmlu 2"] == ["2", "0.2500"]
    assert rows["together"] == ["2", "2"]


def test_a_score_that_is_another_is_a_fault(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    build.write_outcomes(runs[1] / "run", "base", "mmlu", [choice(0, 0), choice(2, 0)])
    assert benchmark.main([str(run) for run in runs]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split() == ["together", "2", "1"]


def test_nothing_in_common_is_no_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert benchmark.main([str(tmp_path), str(tmp_path)]) == 2
    assert "have no item in common" in capsys.readouterr().err
