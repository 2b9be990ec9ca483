"""Runs in processes of their own, and what is left of them: for tests that kill some of these."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.pipeline.executors.machine import LOG, SECONDS, VICTIMS
from tests.toy import write_checkpoint, write_tasks

ROOT = Path(__file__).parents[3]


class Stand:
    """Two models on two tasks, and machines that compare them."""

    def __init__(self, path: Path, n_items: int = 20, seconds: float = 0.0) -> None:
        """Write tasks and checkpoints; `seconds` is what a call of a model takes at least."""
        self.path, self.seconds = path, seconds
        self.suite = write_tasks(path / "tasks", n_items)
        self.models = [f"{name}={write_checkpoint(path / name, len(name))}" for name in ("base", "plus")]
        self.victims = path / "victims"

    def start(self, output: Path, *options: str, log: Path | None = None, **variables: str) -> subprocess.Popen[str]:
        """Start a machine that compares the models into a directory; what it answers is noted beside that."""
        command = [sys.executable, "-m", "tests.pipeline.executors.machine", "compare", *self.models]
        command += ["--suite", str(self.suite), "--tasks-dir", str(self.path / "tasks"), "--output", str(output)]
        environment = {
            **os.environ,
            LOG: str(log or output.with_suffix(".log")),
            SECONDS: str(self.seconds),
            VICTIMS: str(self.victims),
            **variables,
        }
        return subprocess.Popen(
            [*command, *options], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def compare(self, output: Path, *options: str) -> tuple[int, str]:
        """Run one to its end; return its exit code and what it said."""
        machine = self.start(output, *options)
        said = machine.communicate()
        return machine.returncode, "".join(said)

    @staticmethod
    def twice(output: Path) -> int:
        """How many answers to items were computed more often than once."""
        log = output.with_suffix(".log")
        return sum(count - 1 for count in Counter(log.read_text().splitlines()).values())


def parts(output: Path) -> int:
    """How many parts of answers are stored."""
    return sum(1 for _ in output.glob("answers/*/*/part-*.parquet"))


def wait_for_parts(machine: subprocess.Popen[str], output: Path, n_parts: int) -> None:
    """Wait until so many parts are stored, or the machine has ended."""
    while machine.poll() is None and parts(output) < n_parts:
        time.sleep(0.005)


def children(process: int) -> list[int]:
    """The processes that a process started, which compute: those that multiprocessing needs for itself are left out."""
    import psutil

    try:
        found = psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [each.pid for each in found if "spawn_main" in " ".join(_command(each))]


def _command(process: object) -> list[str]:
    import psutil

    try:
        return list(process.cmdline())  # type: ignore[attr-defined]
    except psutil.Error:
        return []
