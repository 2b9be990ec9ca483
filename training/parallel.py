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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mplus_eval.errors import InterruptedRunError
from mplus_eval.training.evaluation import Evaluate
from mplus_eval.training.recipe import Recipe

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def train_side_by_side(
    recipe: Recipe,
    rounds: Sequence[Sequence[str]],
    *,
    progress: Progress,
    say: Say,
    data_dir: Path | None,
    evaluate: Evaluate | None,
) -> None:
    """Train stages, `recipe.stages_at_once` at a time.

    Args:
        recipe: already checked.
        rounds: names of stages; those of a round need nothing but what earlier rounds train.
        progress: called with the names of what is being trained and their steps together.
        say: told of warnings in a sentence.
        data_dir: folder that holds datasets as org/name, before the hub.
        evaluate: evaluates the saved steps of a stage; the processes look it up by its module and name.

    Raises:
        InterruptedRunError: as one stage says; the others are given up and go on from their last checkpoints.
        RuntimeError: a process ended for a reason of its own; its traceback stands on standard error.
    """
    n_workers = min(recipe.stages_at_once, max(map(len, rounds), default=0))
    together = _Together(progress)
    job = {
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
            served = [threads.submit(_serve, worker, waiting, together, say) for worker in workers]
            wait(served, return_when=FIRST_EXCEPTION)
            for each in served:
                if each.done():
                    each.result()


class _Together:
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
def _worker(job: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
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


def _serve(worker: subprocess.Popen[str], waiting: SimpleQueue[str], together: _Together, say: Say) -> None:
    """Have one process train what is waiting, a stage after the other."""
    with suppress(Empty):
        while name := waiting.get_nowait():
            _train(worker, name, together, say)


def _train(worker: subprocess.Popen[str], name: str, together: _Together, say: Say) -> None:
    _send(worker, {"stage": name})
    assert worker.stdout is not None
    for line in worker.stdout:
        event = json.loads(line)
        if "progress" in event:
            together.show(name, *event["progress"])
        elif "say" in event:
            say(event["say"])
        elif "stopped" in event:
            raise InterruptedRunError(event["stopped"])
        elif "finished" in event:
            together.drop(name)
            return
    code = worker.wait()
    if code < 0:
        raise InterruptedRunError(f"{name}: its process was ended by signal {-code}; run the same command to go on")
    raise RuntimeError(f"{name}: its process ended with code {code}; its traceback stands above")


def _send(worker: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert worker.stdin is not None
    # A process that is gone is noticed where its answer is read.
    with suppress(BrokenPipeError):
        worker.stdin.write(json.dumps(message) + "\n")
        worker.stdin.flush()
