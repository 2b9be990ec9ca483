"""Runs on a Ray cluster of two nodes on this machine: what they end in, and what is lost with workers and drivers."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import evaluate
from mplus_eval.pipeline.executors.cluster import check_address
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.records.comparison import Comparison
from tests.toy import Bench, RuleBackend

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

NAMES = ["base", "plus", "chosen"]
N_ITEMS = 1100
"""Three parts of each cell; of such cells two workers take three shards each."""
N_REQUESTS = len(NAMES) * N_ITEMS * (3 + 1)
"""Three choices of a sum, and one word."""
A_SHARD = 500 * 3
"""Requests that a worker has not stored yet at most."""


class Said(RunProgress):
    """Keeps what a run says, and counts its items."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.n_items = 0

    def say(self, sentence: str) -> None:
        self.lines.append(sentence)

    def advance_cell(self, cell: Any, n_items: int, seconds: float) -> None:
        self.n_items += n_items


def counted(model: Any) -> RuleBackend:
    """A backend in a worker's process that notes beside the checkpoints how much it was asked, and takes its time."""
    log = Path(model.location.path).parent / f"asked-{os.getpid()}.log"

    def before(requests: Sequence[Any]) -> None:
        time.sleep(0.002)
        with log.open("a") as file:
            file.write(f"{len(requests)}\n")

    return RuleBackend(model.spec.name, before)


def slowly(model: Any) -> Any:
    """The model itself, in a worker's process, that takes its time before it answers."""
    from mplus_eval.backends import load_backend

    backend: Any = load_backend(model.backend, model.spec, model.location)
    respond = backend.respond

    def late(requests: Sequence[Any]) -> Any:
        time.sleep(1.5)
        return respond(requests)

    backend.respond = late
    return backend


SLOW_DRIVER = """
import sys
from functools import partial
from mplus_eval import cli
from mplus_eval.pipeline.executors import chosen
from tests.pipeline.executors.test_ray import slowly
chosen.chosen_executor = partial(chosen.chosen_executor, load=slowly)
raise SystemExit(cli.run(sys.argv[1:]))
"""
"""The command line, whose workers take their time."""


def n_asked(folder: Path) -> int:
    return sum(int(line) for log in folder.glob("asked-*.log") for line in log.read_text().split())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on this machine, with room for a worker each."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Nodes find the tests, and this package, as this process does.
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
        arguments = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        try:
            cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=100 * 2**20)
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    bench = Bench(tmp_path_factory.mktemp("here"), N_ITEMS)
    return as_text(bench, bench.compare(NAMES))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, N_ITEMS)


def as_text(bench: Bench, comparison: Comparison) -> str:
    """A comparison as it is stored, without the folder that its models lie in."""
    return comparison.model_dump_json().replace(str(bench.path), "")


def compare(cluster: Any, bench: Bench, said: Said, *, shares: bool = True) -> str:
    """The line to the comparison, computed by the cluster."""
    from mplus_eval.pipeline.executors.ray import RayExecutor

    plan, directory = bench.plan(NAMES, executor="ray", address=cluster.address), bench.directory
    with directory.locked():
        executor = RayExecutor(plan, directory, say=said.say, load=counted, shares=shares)
        return as_text(bench, aggregate(plan, directory, evaluate(plan, directory, said, executor=executor)))


def n_parts(folder: Path) -> int:
    return len(list(folder.glob("answers/*/*/part-*.parquet")))


def worker_pids() -> list[int]:
    """Processes of workers that this test's cluster started."""
    import psutil

    children = psutil.Process().children(recursive=True)
    return sorted(child.pid for child in children if any("ray::RayWorker" in word for word in child.cmdline()[:1]))


@contextmanager
def meanwhile(folder: Path, after: int, act: Callable[[], None]) -> Iterator[threading.Event]:
    """Do something as soon as so many parts are stored; the event says that it was done while the block lasted."""
    done, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.005):
            if n_parts(folder) >= after:
                act()
                done.set()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield done
    ended.set()
    thread.join()


@pytest.mark.parametrize("shares", [True, False], ids=["in a shared directory", "without a shared directory"])
def test_a_run_on_ray_ends_as_one_here_does_and_says_nothing_else(
    cluster: Any, bench: Bench, undisturbed: str, capfd: pytest.CaptureFixture[str], *, shares: bool
) -> None:
    said = Said()
    assert compare(cluster, bench, said, shares=shares) == undisturbed
    assert (said.lines, said.n_items, n_asked(bench.path)) == ([], len(NAMES) * 2 * N_ITEMS, N_REQUESTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_worker_that_is_killed_costs_one_shard_at_most(
    cluster: Any, bench: Bench, undisturbed: str, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    draw, said = random.Random(seed), Said()
    shares = bool(seed % 2)

    def kill() -> None:
        time.sleep(draw.random())
        os.kill(draw.choice(worker_pids()), signal.SIGKILL)

    with meanwhile(bench.directory.path, draw.randrange(1, 12), kill) as killed:
        assert compare(cluster, bench, said, shares=shares) == undisturbed
    assert killed.is_set()
    assert N_REQUESTS <= n_asked(bench.path) <= N_REQUESTS + 2 * A_SHARD
    assert all("its process died" in line for line in said.lines)
    assert capfd.readouterr() == ("", "")


def test_a_node_that_is_lost_is_named_and_the_others_go_on(cluster: Any, bench: Bench, undisturbed: str) -> None:
    said = Said()
    second = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)

    with meanwhile(bench.directory.path, 2, lambda: cluster.remove_node(second, allow_graceful=False)) as removed:
        assert compare(cluster, bench, said) == undisturbed
    assert removed.is_set()
    # Its workers may be seen to die before it is.
    assert any("the node is gone" in line or "its process died" in line for line in said.lines)
    assert all(second.node_id[:6] in line for line in said.lines)
    assert n_asked(bench.path) <= N_REQUESTS + 2 * A_SHARD
    cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=100 * 2**20)
    cluster.wait_for_nodes()


def test_a_node_with_other_versions_is_refused_by_name(
    cluster: Any, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mplus_eval.pipeline.executors import ray as executor
    from mplus_eval.pipeline.executors.ray_worker import versions_here

    monkeypatch.setattr(executor, "versions_here", lambda: {**versions_here(), "transformers": "4.0"})
    found = versions_here()["transformers"]
    refused = rf"no worker can begin: node .* takes no part: it has transformers {found}, the driver 4\.0"
    with pytest.raises(UsageError, match=refused):
        compare(cluster, bench, Said())


def test_a_driver_that_is_killed_is_gone_on_from_by_another_elsewhere(
    cluster: Any,
    tmp_path: Path,
    tiny_model,  # type: ignore[no-untyped-def]
) -> None:
    from tests.toy import write_tasks

    suite = write_tasks(tmp_path / "tasks", N_ITEMS)
    arguments = ["compare", f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
    arguments += ["--suite", str(suite), "--tasks-dir", str(tmp_path / "tasks")]
    command = [sys.executable, "-m", "mplus_eval", *arguments]
    on_ray = ["--executor", "ray", "--address", cluster.address, "--storage", f"file://{tmp_path / 'storage'}"]

    # Else all would be done before the storage is looked at a second time.
    slow = [sys.executable, "-c", SLOW_DRIVER, *arguments]
    killed = subprocess.Popen([*slow, *on_ray, "--output", str(tmp_path / "killed"), "--quiet"])
    while n_parts(tmp_path / "storage") < 3:
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    stored = {path: path.read_bytes() for path in (tmp_path / "storage").glob("answers/*/*/part-*.parquet")}
    assert len(stored) < 12

    second = subprocess.run([*command, *on_ray, "--output", str(tmp_path / "second")], capture_output=True, text=True)
    assert (second.returncode, "Traceback" in second.stderr) == (0, False), second.stderr
    assert f"{len(list((tmp_path / 'second').glob('answers/*/*/*')))}" == "12"
    for path, content in stored.items():
        assert (tmp_path / "second" / path.relative_to(tmp_path / "storage")).read_bytes() == content
    subprocess.run([*command, "--output", str(tmp_path / "here"), "--quiet"], check=True)
    here, there = ((tmp_path / name / "comparison.json").read_bytes() for name in ("here", "second"))
    assert here == there
    assert (tmp_path / "storage" / "comparison.json").read_bytes() == here


def test_an_address_that_nobody_answers_is_refused_within_seconds() -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(UsageError, match=rf"--address {taken}: no head of a cluster answers there"):
            check_address(taken, patience=5.0)
    with pytest.raises(UsageError, match=rf"--address {taken}: the cluster cannot be reached \(Connection refused\)"):
        check_address(taken)
    assert time.monotonic() - started < 30
