"""A worker of a cluster in this very process, since Ray is of no matter for what it does."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.pipeline.executors.ray_worker import (
    Begun,
    Briefing,
    Files,
    RayWorker,
    SharedFolder,
    cells_hash,
    differences,
    shard_files,
    versions_here,
)
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard, cut
from mplus_eval.pipeline.plan import Plan
from tests.toy import Bench, RuleBackend


class Heard:
    """Stands for the actor that hears how far workers are."""

    def __init__(self) -> None:
        self.n_items = 0
        self.add = self

    def remote(self, event) -> None:  # type: ignore[no-untyped-def]
        self.n_items += event.n_items


def load(model) -> RuleBackend:  # type: ignore[no-untyped-def]
    return RuleBackend(model.spec.name)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


@pytest.fixture
def worker() -> Iterator[RayWorker]:
    worker = RayWorker({})
    yield worker
    worker.close()


def briefing(plan: Plan, shared: SharedFolder | None = None, cells: str | None = None) -> bytes:
    seat = Seat("node 10.0.0.1 (abc), worker 1")
    return pickle.dumps(Briefing(plan.spec, seat, str(Path.cwd()), shared, cells or cells_hash(plan.cells), load))


def shard_of(plan: Plan) -> Shard:
    cell = plan.cells[0]
    return next(cut(cell, cell.parts, 1.0))


def test_without_a_shared_directory_the_parts_are_sent_and_nothing_is_left(
    bench: Bench, worker: RayWorker, tmp_path: Path
) -> None:
    plan, heard = bench.plan(), Heard()
    assert worker.begin(versions_here(), briefing(plan), heard) == Begun(None, shares=False)
    finished, made = worker.work(shard_of(plan), {})
    assert (finished.cause, heard.n_items) == (None, 12)
    assert sorted(made or ()) == [f"{folder}/base/sums/part-00000.parquet" for folder in ("answers", "outcomes")]
    assert not (tmp_path / "run").exists()
    (scratch,) = tmp_path.glob("mplus-eval-worker-*")
    assert not list(scratch.rglob("*.parquet"))
    worker.close()
    assert not scratch.exists()


def test_what_the_driver_has_is_neither_computed_nor_sent_again(bench: Bench, worker: RayWorker) -> None:
    plan = bench.plan()
    worker.begin(versions_here(), briefing(plan), Heard())
    _, made = worker.work(shard_of(plan), {})
    assert made is not None
    assert worker.work(shard_of(plan), made)[1] == {}
    answers: Files = {name: content for name, content in made.items() if name.startswith("answers")}
    again = worker.work(shard_of(plan), answers)[1]
    assert again == {name: content for name, content in made.items() if name.startswith("outcomes")}


def test_a_directory_that_both_see_is_stored_in_by_the_worker(bench: Bench, worker: RayWorker) -> None:
    plan = bench.plan()
    with bench.directory.locked():
        shared = SharedFolder.of(bench.directory)
        assert worker.begin(versions_here(), briefing(plan, shared), Heard()) == Begun(None, shares=True)
        finished, made = worker.work(shard_of(plan), {})
    assert (finished.cause, made) == (None, None)
    assert [name for name, _ in shard_files(bench.directory, shard_of(plan))] == [
        f"{folder}/base/sums/part-00000.parquet" for folder in ("answers", "outcomes")
    ]


def test_another_folder_of_the_same_name_is_not_taken_for_the_shared_one(bench: Bench, worker: RayWorker) -> None:
    plan = bench.plan()
    with bench.directory.locked():
        shared = SharedFolder.of(bench.directory)
        assert shared is not None
        elsewhere = SharedFolder(shared.path, shared.inode + 1, shared.changed)
        assert worker.begin(versions_here(), briefing(plan, elsewhere), Heard()) == Begun(None, shares=False)


def test_a_node_of_other_versions_is_refused_before_anything_is_read(worker: RayWorker) -> None:
    begun = worker.begin({**versions_here(), "torch": "9.9"}, b"no pickle", Heard())
    assert begun.refusal == f"it has torch {versions_here()['torch']}, the driver 9.9"


def test_a_node_with_other_weights_is_refused(bench: Bench, worker: RayWorker) -> None:
    plan = bench.plan()
    begun = worker.begin(versions_here(), briefing(plan, cells="others"), Heard())
    assert begun.refusal == "its plan has other cells: models, data or task definitions differ there"


def test_a_node_without_the_models_says_which(bench: Bench, worker: RayWorker) -> None:
    plan = bench.plan()
    asked = briefing(plan)
    (bench.path / "plus").rename(bench.path / "elsewhere")
    refusal = worker.begin(versions_here(), asked, Heard()).refusal
    assert refusal is not None
    assert "model 'plus'" in refusal
    assert "\n" not in refusal


def test_folders_of_workers_that_are_gone_are_removed(bench: Bench, worker: RayWorker, tmp_path: Path) -> None:
    gone, living = (tmp_path / f"mplus-eval-worker-{number}-x" for number in (2**22 + 1, os.getpid()))
    gone.mkdir(), living.mkdir()
    worker.begin(versions_here(), briefing(bench.plan()), Heard())
    assert (gone.exists(), living.exists()) == (False, True)


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        ({"torch": "2.13"}, {"torch": "2.13"}, ""),
        ({"torch": "2.13"}, {"torch": "2.12"}, "it has torch 2.12, the driver 2.13"),
        ({"vllm": "0.31"}, {}, "it has no vllm, the driver 0.31"),
        ({}, {"vllm": "0.31"}, "it has vllm 0.31, the driver none"),
    ],
)
def test_versions_that_differ_are_told_by_name(wanted: dict[str, str], found: dict[str, str], told: str) -> None:
    assert differences(wanted, found) == told
