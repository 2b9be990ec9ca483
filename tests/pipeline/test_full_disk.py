"""A disk that is full, a small one in memory: a run stops as one that can go on, and ends as an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TinyModel
from tests.pipeline.test_killed import parts
from tests.toy import write_tasks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def mount(place: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can make a small disk, on Linux")
    mount(place, "size=256k")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_stops_a_run_that_goes_on_where_there_is_room(
    disk: Path, tmp_path: Path, tiny_model: TinyModel
) -> None:
    write_tasks(tmp_path / "tasks", 1600)
    suite = ["--suite", str(tmp_path / "tasks" / "toy.suite.yaml"), "--tasks-dir", str(tmp_path / "tasks")]

    def run(output: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mplus_eval", "compare", f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
        command += [*suite, "--output", str(output), "--quiet"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run(tmp_path / "undisturbed").returncode == 0
    output = disk / "run"
    kept: dict[Path, int] = {}
    for size in ("256k", "400k", "512k"):
        mount(disk, f"remount,size={size}")
        stopped = run(output)
        assert stopped.returncode == 5, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert str(disk) in stopped.stderr or "full" in stopped.stderr
        assert {path: parts(output).get(path) for path in kept} == kept
        kept = parts(output)
        assert not (output / "comparison.json").exists()
    assert kept
    mount(disk, "remount,size=64m")
    done = run(output)
    assert done.returncode == 0, done.stderr
    assert (output / "comparison.json").read_text() == (tmp_path / "undisturbed" / "comparison.json").read_text()
    assert {path: parts(output)[path] for path in kept} == kept
