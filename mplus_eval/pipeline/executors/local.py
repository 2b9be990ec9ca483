"""The executor of one machine: a process for each device, or group of devices, that was named.

A process sees its own devices alone (CUDA_VISIBLE_DEVICES). One that dies is named and another is started in its place,
as long as some shard is finished in between.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from mplus_eval.pipeline.executors.base import Event, Finished, Lost
from mplus_eval.pipeline.executors.process import DiskFull, Unable, run_worker
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.executors.worker import Loader
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.executors import Place, places

MOST_DEATHS = 3
"""Of processes in one place, without a shard that was finished in between, until the place is given up."""
_GRACE = 10.0
"""Seconds that a process has to end by itself."""


@dataclass
class _Process:
    process: SpawnProcess
    connection: Connection
    is_busy: bool = True


class Local:
    """Workers on devices of this machine."""

    def __init__(self, spec: CompareSpec, load: Loader | None = None) -> None:
        """Take the places that were asked for; a process is started with its first shard.

        Args:
            spec: what was asked for, from which every worker makes its own plan.
            load: how a model is loaded, to be found by name in another process; the backends' own way when None.
        """
        self._spec, self._load = spec, load
        self._places = dict(zip(seats_of(spec), places(spec.devices or ()), strict=True))
        self._processes: dict[Seat, _Process] = {}
        self._deaths: dict[Seat, int] = {}

    @property
    def seats(self) -> Sequence[Seat]:
        """The places that are not given up."""
        return list(self._places)

    def start(self, seat: Seat, shard: Shard) -> None:
        """Send a shard to the process of a place, which is started where there is none."""
        if seat not in self._processes:
            self._processes[seat] = self._started(seat)
        worker = self._processes[seat]
        worker.is_busy = True
        # A process that died since is told of by `events`.
        with suppress(OSError):
            worker.connection.send(shard)

    def events(self, seconds: float) -> Sequence[Event]:
        """What processes tell, and which of them died.

        Raises:
            OSError: the disk is full.
        """
        by_connection = {worker.connection: seat for seat, worker in self._processes.items()}
        events: list[Event] = []
        for connection in wait(list(by_connection), seconds):
            assert isinstance(connection, Connection)
            seat = by_connection[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError):
                events.append(self._dead(seat))
                continue
            if isinstance(message, DiskFull):
                raise OSError(message.number, message.text)
            if isinstance(message, Unable):
                events.append(self._unable(seat, message.cause))
                continue
            if isinstance(message, Finished):
                self._processes[seat].is_busy = False
                self._deaths.pop(seat, None)
            events.append(message)
        return events

    def close(self) -> None:
        """End all processes: those at nothing by asking them, others at once."""
        for worker in self._processes.values():
            if worker.is_busy:
                worker.process.terminate()
            else:
                with suppress(OSError):
                    worker.connection.send(None)
        for worker in self._processes.values():
            worker.process.join(_GRACE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._processes.clear()

    def _started(self, seat: Seat) -> _Process:
        context = get_context("spawn")
        own, theirs = context.Pipe()
        verbose = logging.getLogger("mplus_eval").isEnabledFor(logging.INFO)
        # Its own plan has no other devices than those that it sees.
        spec = self._spec.model_copy(update={"devices": None})
        arguments = (theirs, spec, seat, self._load, verbose)
        process = context.Process(target=run_worker, args=arguments, name=seat.name)
        with _environment(environment(self._places[seat], len(self._places))):
            process.start()
        # Else this process would hold the other end open, and never hear that the worker is gone.
        theirs.close()
        return _Process(process, own)

    def _dead(self, seat: Seat) -> Lost:
        worker = self._processes.pop(seat)
        worker.connection.close()
        worker.process.join(_GRACE)
        self._deaths[seat] = self._deaths.get(seat, 0) + 1
        if self._deaths[seat] >= MOST_DEATHS:
            del self._places[seat]
        return Lost(seat, f"{seat.name} {_how_it_ended(worker.process.exitcode)}")

    def _unable(self, seat: Seat, cause: str) -> Lost:
        """A worker that cannot begin would not the next time either."""
        worker = self._processes.pop(seat)
        worker.process.join(_GRACE)
        worker.connection.close()
        del self._places[seat]
        return Lost(seat, f"{seat.name} cannot begin: {cause}")


def seats_of(spec: CompareSpec) -> list[Seat]:
    """A seat for each place that was asked for, numbered from 1."""
    wanted = places(spec.devices or ())
    return [
        Seat(f"worker {number} ({place.name})", float(len(place.gpus) or 1))
        for number, place in enumerate(wanted, start=1)
    ]


def environment(place: Place, n_workers: int) -> dict[str, str]:
    """What a worker's process has in its environment, so that it sees its own devices and leaves cores to the others.

    Where this process itself sees some GPUs only, as under Slurm, numbers count among these.
    """
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    visible = ",".join(seen[gpu] if seen else str(gpu) for gpu in place.gpus)
    threads = max(1, (os.cpu_count() or 1) // n_workers) if place.gpus else 1
    # A killed worker leaves a semaphore or two behind, which the next process clears, and would say so.
    ignored = [words for words in (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker") if words]
    return {
        "CUDA_VISIBLE_DEVICES": visible,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(threads),
        "PYTHONWARNINGS": ",".join(ignored),
    }


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Have other values in this process' environment while another one is started, which inherits them."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _how_it_ended(code: int | None) -> str:
    """What became of a process.

    >>> _how_it_ended(-9), _how_it_ended(1)
    ('was killed (SIGKILL; by the system, perhaps, for want of memory)', 'ended with exit code 1')
    """
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed ({name}{'; by the system, perhaps, for want of memory' if name == 'SIGKILL' else ''})"
