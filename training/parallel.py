"""Stages that do not need one another, trained at the same time by processes of their own.

A stage takes the same numbers whichever process trains it, so this changes nothing but the time. The processes are
started as commands, not forked: neither the caller's threads nor its `__main__` matter then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from mplus_eval.errors import InterruptedRunError
from mplus_eval.training.hooks import Hooks, Progress, Say
from mplus_eval.training.recipe import Recipe

Job = dict[str, object]


def train_in_parallel(recipe: Recipe, rounds: Sequence[Sequence[str]], hooks: Hooks, data_dir: Path | None) -> None:
    """Train stages, `recipe.stages_at_once` at a time.

    Args:
        recipe: already checked.
        rounds: names of stages; those of a round need nothing but what earlier rounds train.
        hooks: progress is told the names of what is being trained and their steps together; the processes look up
            `evaluate` by its module and name.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        InterruptedRunError: as one stage says; the others are given up and go on from their last checkpoints.
        RuntimeError: a process ended for a reason of its own; its traceback stands on standard error.
    """
    n_workers = min(recipe.stages_at_once, max(map(len, rounds)))
    steps, evaluate = _JointProgress(hooks.progress), hooks.evaluate
    job: Job = {
        "recipe": recipe.model_dump(mode="json"),
        "data_dir": str(data_dir) if data_dir else None,
        "evaluate": f"{evaluate.__module__}:{evaluate.__qualname__}" if evaluate else None,
    }
    # The processes are ended first, and with them what the threads wait for.
    with ThreadPoolExecutor(n_workers) as threads, ExitStack() as stack:
        workers = [stack.enter_context(_worker(job)) for _ in range(n_workers)]
        for names in rounds:
            waiting: SimpleQueue[str] = SimpleQueue()
            for name in names:
                waiting.put(name)
            served = [threads.submit(_serve, worker, waiting, steps, hooks.say) for worker in workers]
            wait(served, return_when=FIRST_EXCEPTION)
            for each in served:
                if each.done():
                    each.result()


class _JointProgress:
    """Puts the steps of stages that train at the same time into one line."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._steps: dict[str, tuple[str, int, int]] = {}

    def show(self, name: str, what: str, done: int, total: int) -> None:
        with self._lock:
            self._steps[name] = (what, done, total)
            labels, counts, totals = zip(*self._steps.values(), strict=True)
            self._progress(" · ".join(labels), sum(counts), sum(totals))

    def drop(self, name: str) -> None:
        with self._lock:
            self._steps.pop(name, None)


@contextmanager
def _worker(job: Job) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "mplus_eval.training.worker"]
    # The same modules as here: a recipe may name functions of the user's.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8", env=environment) as process:
        try:
            _send(process, job)
            yield process
        finally:
            process.kill()


def _serve(worker: subprocess.Popen[str], waiting: SimpleQueue[str], steps: _JointProgress, say: Say) -> None:
    """Have one process train what is waiting, a stage after the other."""
    assert worker.stdout is not None
    with suppress(Empty):
        while name := waiting.get_nowait():
            _send(worker, {"stage": name})
            for line in worker.stdout:
                event = json.loads(line)
                if "progress" in event:
                    steps.show(name, *event["progress"])
                elif "say" in event:
                    say(event["say"])
                elif "stopped" in event:
                    raise InterruptedRunError(event["stopped"])
                elif "finished" in event:
                    steps.drop(name)
                    break
            else:
                code = worker.wait()
                if code < 0:
                    ended = f"its process was ended by signal {-code}; run the same command to go on"
                    raise InterruptedRunError(f"{name}: {ended}")
                raise RuntimeError(f"{name}: its process ended with code {code}; its traceback stands above")


def _send(worker: subprocess.Popen[str], message: Job) -> None:
    assert worker.stdin is not None
    # A process that is gone is noticed where its answer is read.
    with suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(message) + "\n")
        worker.stdin.flush()
