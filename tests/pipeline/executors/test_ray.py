from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.store.run_directory import RunDirectory
from tests.toy import Bench, RuleBackend

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


class Said(RunProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.n_items = 0

    def say(self, sentence: str) -> None:
        self.lines.append(sentence)

    def advance(self, n_items: int) -> None:
        self.n_items += n_items


def load(model: Any) -> RuleBackend:
    return RuleBackend(model.spec.name)


def test_a_run_on_ray_ends_as_a_run_here_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mplus_eval.pipeline.executors.ray import RayExecutor

    bench = Bench(tmp_path, 40)
    here = bench.compare(["base", "plus", "chosen"])
    for shares in (True, False):
        directory = RunDirectory(tmp_path / f"run-{shares}")
        plan = bench.plan(["base", "plus", "chosen"], output=directory.path, executor="ray")
        said = Said()
        t = time.time()
        with directory.locked():
            executor = RayExecutor(plan, directory, say=said.say, load=load, shares=shares)
            print(time.time() - t, executor.seats)
            failures = evaluate(plan, directory, said, executor=executor)
        print(time.time() - t)
        assert failures == {}
        assert said.lines == []
        assert aggregate(plan, directory, failures).model_dump() == here.model_dump()
        print(said.n_items)
