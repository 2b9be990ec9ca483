"""lm-eval's own outputs of two rule-based models on the toy tasks; nobody changes them in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.importers.outputs import run_lm_eval
from tests.toy import write_tasks


@pytest.fixture(scope="session")
def toy_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the toy definitions."""
    return write_tasks(tmp_path_factory.mktemp("toy") / "tasks").parent


@pytest.fixture(scope="session")
def lm_eval_outputs(toy_tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each model, `base` and `plus`."""
    folder = tmp_path_factory.mktemp("lm-eval")
    for name in ("base", "plus"):
        run_lm_eval(toy_tasks, folder / name, name)
    return folder
