from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.trackers.content import Logged
from mplus_eval.reports import write_report
from tests.exports.runs import write_every_axis


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every axis with a training, and its page."""
    directory = write_every_axis(tmp_path_factory.mktemp("trackers") / "my-run")
    write_report(directory)
    return directory


@pytest.fixture
def content(reported: Path) -> Logged:
    return Logged.of(StoredRun.read(reported))
