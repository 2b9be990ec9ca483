"""Machines that share a directory, each a thread with a plan of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability import axis as capability_axis
from mplus_eval.errors import UsageError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import Failures, evaluate
from mplus_eval.pipeline.executors import claims
from mplus_eval.pipeline.executors.claims import Claims
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.plan import Plan
from mplus_eval.store.leases import Leases
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import read_sealed, recall, write_sealed
from tests.toy import Bench, RuleBackend

SECONDS = 0.4
"""Until a lease is taken over."""


class Watched(Claims):
    """Claims of a machine that tell when it found nothing to claim between two looks, and so waits for others."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.n_looks = 0
        self.waits = threading.Event()

    def look(self) -> tuple[set[str], set[str]]:
        self.n_looks += 1
        if self.n_looks == 2:
            self.waits.set()
        return super().look()

    def claim(self, shard: Shard) -> bool:
        self.n_looks = 0
        return super().claim(shard)


class Machine(threading.Thread):
    """Evaluates a plan in a directory that others share; `before` is called with each request of a model."""

    def __init__(self, plan: Plan, path: Path, before: Any = None) -> None:
        super().__init__()
        self.plan, self.before = plan, before
        self.directory = RunDirectory(path, is_shared=True)
        self.leases = Leases(self.directory.leases, seconds=SECONDS)
        self.claims = Watched(plan, self.directory, self.leases)
        self.answered: list[str] = []
        self.models: list[str] = []
        self.failures: Failures | None = None

    def load(self, model: ResolvedModel) -> RuleBackend:
        self.models.append(model.spec.name)

        def before(requests: Sequence[Any]) -> None:
            items = dict.fromkeys(f"{model.spec.name} {each.task_name} {each.doc_id}" for each in requests)
            self.answered += items
            if self.before is not None:
                self.before(requests)

        return RuleBackend(model.spec.name, before)

    def run(self) -> None:
        self.failures = evaluate(self.plan, self.directory, load=self.load, claims=self.claims)
        self.leases.close()

    def freeze(self) -> None:
        """Renew nothing any more, as a machine that is stopped or cut off."""
        self.leases._end.set()
        assert self.leases._thread is not None
        self.leases._thread.join()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Two models on two tasks of forty items, in parts of five: eight parts and two chunks a cell."""
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    return Bench(tmp_path, 40)


def compared(machine: Machine) -> str:
    assert machine.failures is not None
    comparison = aggregate(machine.plan, machine.directory, machine.failures)
    comparison.write(machine.directory.comparison)
    return machine.directory.comparison.read_text()


@pytest.fixture
def undisturbed(bench: Bench) -> str:
    bench.compare()
    return bench.directory.comparison.read_text()


def test_two_machines_end_in_the_comparison_of_one_and_compute_nothing_twice(bench: Bench, undisturbed: str) -> None:
    machines = [Machine(bench.plan(), bench.path / "shared") for _ in range(2)]
    barrier = threading.Barrier(2)
    for machine in machines:
        # Neither is done before the other has begun.
        first = iter([barrier.wait])
        machine.before = lambda _, first=first: next(first, lambda: None)()
        machine.start()
    for machine in machines:
        machine.join()
    assert [compared(machine) for machine in machines] == [undisturbed] * 2
    answered = Counter(machines[0].answered + machines[1].answered)
    assert len(answered) == 2 * 2 * 40
    assert set(answered.values()) == {1}
    assert all(machine.answered for machine in machines)
    # They began with different models.
    assert machines[0].models[0] != machines[1].models[0]


def test_a_frozen_machine_is_taken_over_and_finishes_nothing_when_it_wakes(bench: Bench, undisturbed: str) -> None:
    woken, begun = threading.Event(), threading.Event()
    frozen = Machine(bench.plan(), bench.path / "shared")

    def freeze(_: Any) -> None:
        if not begun.is_set():
            frozen.freeze()
            begun.set()
            woken.wait(60)

    frozen.before = freeze
    frozen.start()
    assert begun.wait(60)
    other = Machine(bench.plan(), bench.path / "shared")
    other.start()
    other.join()
    stored = {path: path.stat().st_mtime_ns for path in other.directory.path.rglob("*.parquet")}
    whole = compared(other)
    woken.set()
    frozen.join()
    assert [whole, compared(frozen)] == [undisturbed] * 2
    assert {path: path.stat().st_mtime_ns for path in other.directory.path.rglob("*.parquet")} == stored
    twice = [item for item, count in Counter(frozen.answered + other.answered).items() if count > 1]
    # The part that it was at when it froze.
    assert 0 < len(twice) <= 5


def test_a_cell_that_failed_on_one_machine_has_failed_on_all_that_began_before(bench: Bench) -> None:
    def fail(requests: Sequence[Any]) -> None:
        if "say" in requests[0].args[0]:
            raise RuntimeError("the graphics card fell off")

    begun, goes_on, first = threading.Event(), threading.Event(), Machine(bench.plan(), bench.path / "shared", fail)

    def hold(_: Any) -> None:
        begun.set()
        goes_on.wait(60)

    second = Machine(bench.plan(), bench.path / "shared", hold)
    second.start()
    assert begun.wait(60)
    first.start()
    assert first.claims.waits.wait(60)
    assert first.is_alive()  # It waits for what the second holds.
    goes_on.set()
    first.join()
    second.join()
    assert first.failures is not None
    assert second.failures is not None
    cause = "RuntimeError: the graphics card fell off"
    assert set(first.failures.values()) == {cause}
    assert set(second.failures.values()) <= {cause}


def test_a_failure_of_an_earlier_run_is_tried_again(bench: Bench) -> None:
    directory = RunDirectory(bench.path / "shared", is_shared=True)
    directory.write_failure("base", "sums", "once")
    machine = Machine(bench.plan(), directory.path)
    machine.start()
    machine.join()
    assert machine.failures == {}
    assert directory.failure("base", "sums") is None


def test_a_machine_with_another_plan_is_refused_with_what_differs(bench: Bench) -> None:
    directory = RunDirectory(bench.path / "shared", is_shared=True)
    with Claims.of_run(bench.plan(), directory):
        refused = "another machine shares this directory for a plan with different data, limit of base × sums"
        with pytest.raises(UsageError, match=refused), Claims.of_run(bench.plan(limit=3), directory):
            pass
        with Claims.of_run(bench.plan(), directory):
            pass


def test_a_machine_that_computes_on_another_kind_of_device_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(bench.path / "shared", is_shared=True)
    with Claims.of_run(bench.plan(), directory):
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        refused = "for a plan with different kind of device of base × sums"
        with pytest.raises(UsageError, match=refused), Claims.of_run(bench.plan(), directory):
            pass
        with Claims.of_run(bench.plan(devices="cpu,cpu"), directory):
            pass


def test_of_machines_that_begin_at_the_same_moment_one_says_the_plan(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(bench.path / "shared", is_shared=True)
    looks = iter([True])
    # The first look sees nothing yet, although another machine writes its plan just then.
    monkeypatch.setattr(
        claims, "recall", lambda path, **options: None if next(looks, False) else recall(path, **options)
    )
    write_sealed(directory.shared_plan, {"base × sums": {"data": "theirs"}})
    with pytest.raises(UsageError, match="another machine shares this directory"):
        Claims.of_run(bench.plan(), directory).__enter__()
    assert read_sealed(directory.shared_plan) == {"base × sums": {"data": "theirs"}}


@pytest.mark.parametrize("value", ["soon", "0", "-3", "nan", "inf"])
def test_seconds_that_are_none_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MPLUS_EVAL_LEASE_SECONDS", value)
    directory = RunDirectory(bench.path / "shared", is_shared=True)
    with pytest.raises(UsageError, match=f"MPLUS_EVAL_LEASE_SECONDS={value}: a number of seconds above 0 is accepted"):
        Claims.of_run(bench.plan(), directory).__enter__()
