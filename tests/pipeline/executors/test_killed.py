"""Runs of which processes are killed or frozen at random moments end as an undisturbed one does."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.pipeline.executors.stand import Stand, children, wait_for_parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
ROUNDS = 10
"""Half a minute each; those on a cluster and of machines that share a directory come besides."""
N_ITEMS = 20
"""Four parts of each of four cells."""
N_PARTS = 16
SHARD = 4 * 5
"""Items of a shard at most."""
LEASE = {"MPLUS_EVAL_LEASE_SECONDS": "2"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """What is compared, with a comparison that nobody disturbed."""
    stand = Stand(tmp_path_factory.mktemp("stand"), N_ITEMS)
    assert stand.compare(stand.path / "undisturbed", "--quiet")[0] == 0
    stand.seconds = 0.05
    return stand


def undisturbed(stand: Stand, output: Path) -> bool:
    comparisons = [(folder / "comparison.json").read_bytes() for folder in (stand.path / "undisturbed", output)]
    return comparisons[0] == comparisons[1]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_drivers_and_workers_are_killed_at_random_moments(stand: Stand, seed: int) -> None:
    rng = random.Random(seed)
    output = stand.path / f"killed-{seed}"
    machine = stand.start(output, "--devices", "cpu,cpu", "--quiet")
    wait_for_parts(machine, output, rng.randrange(1, N_PARTS))
    time.sleep(rng.uniform(0, 0.1))
    workers = children(machine.pid)
    n_lost = len(workers)
    if workers and rng.random() < 0.5:
        os.kill(rng.choice(workers), signal.SIGKILL)
        wait_for_parts(machine, output, rng.randrange(1, N_PARTS + 1))
        n_lost += 1
    machine.kill()
    machine.ended()
    # Workers do not outlive it by more than what they are computing just now.
    assert stand.compare(output, *rng.choice([[], ["--devices", "cpu"]]), "--quiet")[0] == 0
    assert undisturbed(stand, output)
    assert stand.twice(output) <= n_lost * SHARD


@pytest.mark.parametrize("seed", range(3))
def test_of_two_machines_that_share_a_directory_one_is_killed(stand: Stand, seed: int) -> None:
    rng = random.Random(seed)
    output = stand.path / f"shared-{seed}"
    machines = [stand.start(output, "--executor", "shared", "--quiet", **LEASE) for _ in range(2)]
    wait_for_parts(machines[0], output, rng.randrange(1, N_PARTS - 2))
    machines[0].kill()
    machines[0].ended()
    code, said = machines[1].ended()
    assert code == 0, said
    assert undisturbed(stand, output)
    assert stand.twice(output) <= SHARD
    assert not (output / ".leases").exists()


@pytest.mark.parametrize("seed", range(3))
def test_of_two_machines_one_is_frozen_until_its_lease_was_taken_over(stand: Stand, seed: int) -> None:
    rng = random.Random(100 + seed)
    output = stand.path / f"frozen-{seed}"
    machines = [stand.start(output, "--executor", "shared", "--quiet", **LEASE) for _ in range(2)]
    wait_for_parts(machines[0], output, rng.randrange(1, N_PARTS - 2))
    machines[0].send_signal(signal.SIGSTOP)
    code, said = machines[1].ended()
    assert code == 0, said
    assert undisturbed(stand, output)
    stored = {path: path.stat().st_mtime_ns for path in output.rglob("*.parquet")}
    machines[0].send_signal(signal.SIGCONT)
    code, said = machines[0].ended()
    assert code == 0, said
    assert undisturbed(stand, output)
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.parquet")} == stored
    assert stand.twice(output) <= SHARD


def test_two_machines_of_two_workers_each(stand: Stand) -> None:
    output = stand.path / "four"
    options = ("--executor", "shared", "--devices", "cpu,cpu", "--quiet")
    machines = [stand.start(output, *options, **LEASE) for _ in range(2)]
    for machine in machines:
        code, said = machine.ended()
        assert code == 0, said
    assert undisturbed(stand, output)
    assert stand.twice(output) == 0


def test_a_plain_run_is_refused_beside_machines_that_share(stand: Stand) -> None:
    output = stand.path / "beside"
    sharing = stand.start(output, "--executor", "shared", "--quiet", **LEASE)
    wait_for_parts(sharing, output, 1)
    # Frozen, so that it cannot be done before the other one begins.
    sharing.send_signal(signal.SIGSTOP)
    code, said = stand.compare(output, "--quiet")
    sharing.send_signal(signal.SIGCONT)
    assert code == 2, said
    assert "another mplus-eval is working in this directory" in said
    assert sharing.ended()[0] == 0
    assert undisturbed(stand, output)
