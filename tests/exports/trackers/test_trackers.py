"""Logging to trackers by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.exports.trackers import log_run, tensorboard
from mplus_eval.exports.trackers.content import Logged
from mplus_eval.spec import trackers


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _name: object())


@pytest.mark.usefixtures("installed")
def test_a_tracker_that_is_named_twice_is_logged_to_once(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(tensorboard, "log", lambda content: logged.append(content.name) or "there")
    assert log_run(reported, ["tensorboard", "tensorboard"]) == ["Logged to tensorboard: there"]
    assert logged == ["my-run"]


@pytest.mark.usefixtures("installed")
def test_a_refusal_says_how_the_stored_run_is_logged(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_content: Logged) -> str:
        raise UsageError("--log-to tensorboard: no")

    monkeypatch.setattr(tensorboard, "log", refuse)
    with pytest.raises(UsageError) as refusal:
        log_run(reported, ["tensorboard"])
    first, second = str(refusal.value).splitlines()
    assert first == "--log-to tensorboard: no"
    assert f"`mplus-eval report {reported} --log-to tensorboard` logs it" in second


def test_nothing_is_logged_where_a_package_is_missing(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name == "wandb" else object())
    monkeypatch.setattr(tensorboard, "log", lambda _content: pytest.fail("it was logged"))
    with pytest.raises(SpecError, match="--log-to wandb: the package is not installed"):
        log_run(reported, ["tensorboard", "wandb"])
