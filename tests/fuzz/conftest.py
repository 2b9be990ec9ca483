"""What files are thrown at: two checkpoints, their tasks, a small finished run and one with every axis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mplus_eval.capability import definitions, task_config
from tests.exports.runs import write_every_axis
from tests.fuzz.thrown import run
from tests.toy import RuleBackend, write_checkpoint, write_tasks

FEW, MANY = 6, 60


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def examples(request: pytest.FixtureRequest) -> int:
    """How many inputs of a kind are thrown: some in the fast tests, more in the slow ones."""
    return int(os.environ.get("MPLUS_EVAL_FUZZ_EXAMPLES", request.param))


@dataclass(frozen=True)
class Ground:
    """What nearly right inputs refer to."""

    path: Path
    suite: Path
    models: tuple[str, str]

    @property
    def tasks(self) -> list[str]:
        """Options of the suite and its definitions."""
        return ["--suite", str(self.suite), "--tasks-dir", str(self.suite.parent)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mplus_eval.pipeline.executors.worker.load_backend", lambda _, spec, __: RuleBackend(spec.name))
        patch.setattr("mplus_eval.backends.load_backend", lambda _, spec, __: RuleBackend(spec.name))
        for module in (task_config, definitions):
            # lm-eval's own definitions are 14,000 files.
            patch.setattr(module, "stock_definitions", dict)
        path = tmp_path_factory.mktemp("ground")
        patch.chdir(path)
        base, plus = (f"{name}={write_checkpoint(path / name, len(name))}" for name in ("base", "plus"))
        yield Ground(path, write_tasks(path / "tasks", 6), (base, plus))


@pytest.fixture(scope="module")
def finished(ground: Ground) -> Path:
    """A finished run of the two checkpoints; to be copied."""
    output = ground.path / "finished"
    assert run(["compare", *ground.models, *ground.tasks, "--output", str(output), "--quiet"])[0] == 0
    return output


@pytest.fixture(scope="module")
def every_axis(ground: Ground) -> Path:
    """A run with every axis and a training; to be copied."""
    return write_every_axis(ground.path / "every-axis")
