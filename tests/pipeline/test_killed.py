"""A run that is killed with SIGKILL and started again ends as an undisturbed one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.toy import write_tasks

N_ITEMS = 1600
"""Four parts for each task and model, so that there are moments between them."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def start(folder: Path, output: Path, models: list[str]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "mplus_eval",
        "compare",
        *models,
        "--suite",
        str(folder / "tasks" / "toy.suite.yaml"),
    ]
    command += ["--tasks-dir", str(folder / "tasks"), "--output", str(output), "--quiet"]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def parts(output: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in output.glob("answers/*/*/part-*.parquet")}


def killed_when(process: subprocess.Popen[bytes], output: Path, n_parts: int) -> bool:
    """Kill a run as soon as so many parts are stored; tell whether it was still running."""
    while process.poll() is None:
        if len(parts(output)) >= n_parts:
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.002)
    return False


def test_a_run_killed_again_and_again_goes_on_and_ends_in_the_same_comparison(
    tmp_path: Path,
    tiny_model,  # type: ignore[no-untyped-def]
) -> None:
    write_tasks(tmp_path / "tasks", N_ITEMS)
    models = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
    assert start(tmp_path, tmp_path / "undisturbed", models).wait() == 0
    undisturbed = (tmp_path / "undisturbed" / "comparison.json").read_text()

    output = tmp_path / "killed"
    stored: dict[Path, int] = {}
    for n_parts in (0, 1, 5, 10, 15):
        assert killed_when(start(tmp_path, output, models), output, n_parts)
        assert {path: parts(output)[path] for path in stored} == stored
        stored = parts(output)
        assert not (output / "comparison.json").exists()

    assert start(tmp_path, output, models).wait() == 0
    assert (output / "comparison.json").read_text() == undisturbed
    assert {path: parts(output)[path] for path in stored} == stored
