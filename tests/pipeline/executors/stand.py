"""Runs in processes of their own, and what is left of them: for tests that kill some of these."""

from __future__ import annotations

import atexit
import os
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

from tests.pipeline.executors.machine import LOG, SECONDS, VICTIMS, main
from tests.toy import write_checkpoint, write_tasks

READ = (
    "mplus_eval.backends.hf",
    "mplus_eval.capability.axis",
    "mplus_eval.cli.compare",
    "mplus_eval.conversation.axis",
    "mplus_eval.harmlessness.axis",
    "mplus_eval.pipeline.aggregate",
    "mplus_eval.reports.render",
    "tests.pipeline.executors.machine",
    "transformers.models.auto.auto_factory",
)
"""What a machine imports, which is done once for all of them."""


class Machine:
    """A process of its own, forked from one that has imported everything and done nothing: that takes a moment.

    Whoever starts Python anew for each machine waits for its imports longer than for what it computes. The workers of
    `--devices` are started by the machine in its own way.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str], said: Path) -> None:
        """Start the command line with arguments; what it says goes into a file."""
        context = get_context("forkserver")
        context.set_forkserver_preload(list(READ))
        self._process, self._said = context.Process(target=main, args=(arguments, environment, said)), said
        self._process.start()
        # A frozen one, left by a test that failed, would else be waited for.
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.is_running():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Have it gone at once."""
        self._process.kill()

    def ended(self) -> tuple[int | None, str]:
        """Wait for its end; its exit code, or the signal below 0, and what it said."""
        self._process.join()
        return self._process.exitcode, self._said.read_text() if self._said.exists() else ""


class Stand:
    """Two models on two tasks, and machines that compare them."""

    def __init__(self, path: Path, n_items: int = 20, seconds: float = 0.0) -> None:
        """Write tasks and checkpoints; `seconds` is what a call of a model takes at least."""
        self.path, self.seconds = path, seconds
        self.suite = write_tasks(path / "tasks", n_items)
        self.models = [f"{name}={write_checkpoint(path / name, len(name))}" for name in ("base", "plus")]
        self.victims = path / "victims"
        self._n_started = 0

    def start(self, output: Path, *options: str, **variables: str) -> Machine:
        """Start a machine that compares the models into a directory; what it answers is noted beside that."""
        arguments = ["compare", *self.models, "--suite", str(self.suite), "--tasks-dir", str(self.path / "tasks")]
        environment = {
            **os.environ,
            LOG: str(output.with_suffix(".log")),
            SECONDS: str(self.seconds),
            VICTIMS: str(self.victims),
            **variables,
        }
        self._n_started += 1
        said = self.path / f"said-{self._n_started}"
        return Machine([*arguments, "--output", str(output), *options], environment, said)

    def compare(self, output: Path, *options: str) -> tuple[int | None, str]:
        """Run one to its end; return its exit code and what it said."""
        return self.start(output, *options).ended()

    @staticmethod
    def twice(output: Path) -> int:
        """How many answers to items were computed more often than once."""
        log = output.with_suffix(".log")
        return sum(count - 1 for count in Counter(log.read_text().splitlines()).values())


def parts(output: Path) -> int:
    """How many parts of answers are stored."""
    return sum(1 for _ in output.glob("answers/*/*/part-*.parquet"))


def wait_for_parts(machine: Machine, output: Path, n_parts: int) -> None:
    """Wait until so many parts are stored, or the machine has ended."""
    while machine.is_running() and parts(output) < n_parts:
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
