from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.capability import task_config
from mplus_eval.exports import StoredRun
from tests.exports.runs import write_every_axis, write_hostile


@pytest.fixture(scope="module", autouse=True)
def _no_stock_definitions() -> Iterator[None]:
    """Leave lm-eval’s own definitions unread, by the tests of exports alone: there are 14,000 files of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_config, "stock_definitions", dict)
        yield


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every axis, a training with saved steps and items of two tasks; to be looked at only."""
    return write_every_axis(tmp_path_factory.mktemp("exports") / "run")


@pytest.fixture(scope="session")
def run(run_directory: Path) -> StoredRun:
    return StoredRun.read(run_directory)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A run whose every free text tries to be more than text."""
    return write_hostile(tmp_path_factory.mktemp("exports") / "hostile")
