from __future__ import annotations

import pytest

from mplus_eval import cli
from mplus_eval.pipeline import doctor
from mplus_eval.pipeline.doctor import Check

PLENTY = [
    Check("python", True, "3.11"),
    Check("package torch", True, "2.13"),
    Check("hub", None, "offline", "unset HF_HUB_OFFLINE"),
]


def run(monkeypatch: pytest.MonkeyPatch, made: list[Check], *options: str) -> int:
    monkeypatch.setattr(doctor, "checks", lambda: made)
    return cli.run(["doctor", *options])


def test_the_command_ends_well_when_only_optional_things_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, PLENTY) == 0
    shown = capsys.readouterr().out
    assert "package torch" not in shown
    assert "If you need it\n  hub: unset HF_HUB_OFFLINE" in shown


def test_the_command_shows_every_package_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, PLENTY, "--verbose") == 0
    assert "package torch" in capsys.readouterr().out


def test_the_command_fails_when_something_required_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Check("package trl", False, "missing", "pip install 'trl>=1.16,<2'")
    assert run(monkeypatch, [*PLENTY, missing]) == 2
    assert "To mend\n  package trl: pip install 'trl>=1.16,<2'\n" in capsys.readouterr().out
