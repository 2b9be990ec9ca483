"""Trackers: what is missing is one line with the command that mends it, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.spec import trackers
from mplus_eval.spec.trackers import TRACKERS, missing_trackers


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_package_is_a_line_with_the_command() -> None:
    assert missing_trackers(["wandb", "mlflow", "wandb"]) == [
        "--log-to wandb: the package is not installed; pip install 'wandb>=0.22'",
        "--log-to mlflow: the package is not installed; pip install 'mlflow-skinny>=3.5'",
    ]


def test_what_is_installed_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _name: object())
    assert missing_trackers(list(TRACKERS)) == []


@pytest.mark.usefixtures("nothing_installed")
def test_compare_refuses_before_it_evaluates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["base=./absent", "--output", str(tmp_path / "run"), "--log-to", "wandb"]
    assert cli.run(["compare", *given]) == 2
    error = capsys.readouterr().err
    assert "--log-to wandb: the package is not installed; pip install" in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", "base=./absent", "--output", str(tmp_path / "run"), "--log-to", "wandbb"]) == 2
    assert "wandb, mlflow, trackio or tensorboard is accepted" in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_installed")
def test_report_refuses_before_it_uploads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.reports import build

    directory = build.write_run(tmp_path, build.full())
    given = ["report", str(directory), "--push", "space:org/x", "--dry-run"]
    assert cli.run([*given, "--log-to", "mlflow"]) == 2
    captured = capsys.readouterr()
    assert "pip install 'mlflow-skinny" in captured.err
    assert captured.out == ""
    assert cli.run([*given, "--log-to", "mlfow"]) == 2
    assert "--log-to 'mlfow': did you mean mlflow?" in capsys.readouterr().err
