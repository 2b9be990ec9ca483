from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from mplus_eval.capability import axis as capability_axis
from mplus_eval.models.cells import Cell
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.executors.local import Local, environment, seats_of
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.spec.executors import Place
from tests.pipeline.executors.machine import LOG, PART, VICTIMS, load
from tests.pipeline.executors.stand import Stand, children, parts, wait_for_parts
from tests.specs import build_spec
from tests.toy import Bench


def test_a_worker_sees_its_own_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment(Place((2, 3)), 2)["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert environment(Place(()), 2)["CUDA_VISIBLE_DEVICES"] == ""


def test_gpus_are_counted_among_those_that_the_driver_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,GPU-6f")
    assert environment(Place((0, 2)), 1)["CUDA_VISIBLE_DEVICES"] == "4,GPU-6f"


def test_a_worker_on_the_processor_has_a_thread_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert environment(Place(()), 2)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment(Place(()), 2)["OMP_NUM_THREADS"] == "3"


def test_each_place_is_a_seat_of_its_own_with_its_devices() -> None:
    seats = seats_of(build_spec(["base=x"], options={"devices": "0+1,2"}))
    assert [(seat.name, seat.devices) for seat in seats] == [("worker 1 (GPU 0+1)", 2.0), ("worker 2 (GPU 2)", 1.0)]


class Heard(RunProgress):
    """What a run told of itself."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.n_items = 0

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def advance_cell(self, cell: Cell, n_items: int, seconds: float) -> None:
        self.n_items += n_items


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, bytes]:
    """Two models on two tasks, with workers that note what they answer, and the comparison of one process."""
    for name, value in ((LOG, tmp_path / "log"), (VICTIMS, tmp_path / "victims")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(capability_axis, "PART_ITEMS", PART)
    bench = Bench(tmp_path)
    bench.compare()
    comparison = bench.directory.comparison.read_bytes()
    shutil.rmtree(bench.directory.path)
    return bench, comparison


def by_workers(bench: Bench, devices: str) -> tuple[Heard, Counter[str]]:
    """The comparison by workers, with nothing failed; what was heard of them, and how often each item was answered."""
    heard = Heard()
    plan = bench.plan(devices=devices)
    failures = evaluate(plan, bench.directory, heard, executor=Local(plan.spec, load))
    aggregate(plan, bench.directory, failures).write(bench.directory.comparison)
    assert failures == {}
    return heard, Counter((bench.path / "log").read_text().splitlines())


def test_a_worker_in_a_process_of_its_own_computes_what_this_one_does(alone: tuple[Bench, bytes]) -> None:
    bench, comparison = alone
    heard, counts = by_workers(bench, "cpu")
    assert bench.directory.comparison.read_bytes() == comparison
    assert (heard.said, heard.n_items) == ([], 2 * 2 * 12)
    assert (len(counts), set(counts.values())) == (2 * 2 * 12, {1})


@pytest.mark.slow
def test_two_workers_of_which_one_is_killed_compute_what_one_process_does(alone: tuple[Bench, bytes]) -> None:
    bench, comparison = alone
    (bench.path / "victims").write_text("one")
    heard, counts = by_workers(bench, "cpu,cpu")
    assert bench.directory.comparison.read_bytes() == comparison
    (said,) = heard.said
    assert "was killed (SIGKILL; by the system, perhaps, for want of memory), at " in said
    assert heard.n_items >= 2 * 2 * 12
    assert len(counts) == 2 * 2 * 12
    # The shard of the one that was lost, at most.
    assert sum(counts.values()) - len(counts) <= 12


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_workers_of_which_some_are_killed_end_in_the_comparison_of_one_process(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    assert stand.compare(tmp_path / "alone", "--quiet")[0] == 0

    stand.victims.write_text("first\nsecond")
    code, said = stand.compare(tmp_path / "run", "--devices", "cpu,cpu")

    assert code == 0
    assert (tmp_path / "run" / "comparison.json").read_bytes() == (tmp_path / "alone" / "comparison.json").read_bytes()
    assert said.count("was killed (SIGKILL; by the system, perhaps, for want of memory), at") == 2
    assert "which is given to another" in said
    assert stand.twice(tmp_path / "run") <= 2 * 20
    assert stand.twice(tmp_path / "alone") == 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_where_every_worker_is_killed_all_cells_fail_with_the_cause(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.victims.write_text("\n".join(map(str, range(100))))
    code, said = stand.compare(tmp_path / "run", "--devices", "cpu")
    assert code == 3
    assert "no worker is left: worker 1 (cpu) was killed (SIGKILL" in said
    failures = [json.loads(path.read_text())["cause"] for path in (tmp_path / "run" / "failures").rglob("*.json")]
    assert len(failures) == 4
    assert all(cause.endswith("for want of memory)") for cause in failures)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_stopped_stops_its_workers_and_can_be_gone_on_from(tmp_path: Path, number: int) -> None:
    stand = Stand(tmp_path, seconds=0.2)
    machine = stand.start(tmp_path / "run", "--devices", "cpu,cpu", "--quiet")
    wait_for_parts(machine, tmp_path / "run", 2)
    workers = children(machine.pid)
    assert len(workers) == 2
    machine.send_signal(number)
    code, said = machine.ended()
    assert code == 5
    assert said.splitlines()[-1].startswith("mplus-eval: stopped; everything finished is stored")
    assert not any(psutil.pid_exists(worker) for worker in workers)
    stored = parts(tmp_path / "run")
    assert stored >= 2

    stand.seconds = 0.0
    assert stand.compare(tmp_path / "run", "--devices", "cpu,cpu", "--quiet")[0] == 0
    assert stand.compare(tmp_path / "alone", "--quiet")[0] == 0
    assert (tmp_path / "run" / "comparison.json").read_bytes() == (tmp_path / "alone" / "comparison.json").read_bytes()
    # What each worker was at, at most.
    assert stand.twice(tmp_path / "run") <= 2 * 5


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_worker_outlives_a_killed_driver(tmp_path: Path) -> None:
    stand = Stand(tmp_path, seconds=0.2)
    machine = stand.start(tmp_path / "run", "--devices", "cpu,cpu", "--quiet")
    wait_for_parts(machine, tmp_path / "run", 1)
    workers = children(machine.pid)
    assert len(workers) == 2
    machine.kill()
    machine.ended()
    _, alive = psutil.wait_procs([psutil.Process(each) for each in workers if psutil.pid_exists(each)], timeout=20)
    assert not alive
