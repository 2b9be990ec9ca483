"""A worker's own process: it makes its plan, computes the shards that it is sent, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue

from mplus_eval.errors import MplusError
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.store.files import FULL_DISK

ORPHANED = 5
"""Exit code of a worker whose driver is gone: it was stopped, and what is stored can be gone on from."""


@dataclass(frozen=True)
class Unable:
    """A worker cannot begin, and why."""

    cause: str


@dataclass(frozen=True)
class DiskFull:
    """A worker found the disk full."""

    number: int
    text: str


def run_worker(
    connection: Connection, spec: CompareSpec, seat: Seat, load: Callable[..., object] | None, verbose: bool
) -> None:
    """Compute shards until told to end.

    Args:
        connection: to the driver: shards come in, `None` for the end; what happens goes out.
        spec: what was asked for.
        seat: where the worker sits.
        load: how a model is loaded; the backends' own way when None.
        verbose: whether libraries may speak.
    """
    # Ctrl-C reaches every process of a terminal, and it is the driver who ends its workers then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ORPHANED))
    inbox: SimpleQueue[Shard | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, inbox), daemon=True).start()
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.pipeline.executors.worker import Worker

    try:
        worker = Worker.of_spec(spec, seat=seat, tell=connection.send, load=load)  # type: ignore[arg-type]
    except MplusError as error:
        connection.send(Unable("; ".join(str(error).splitlines())))
        return
    try:
        while (shard := inbox.get()) is not None:
            connection.send(worker.work(shard))
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        connection.send(DiskFull(error.errno, str(error)))
    finally:
        worker.close()


def _receive(connection: Connection, inbox: SimpleQueue[Shard | None]) -> None:
    """Take what the driver sends; where it is gone, whatever is being computed is of no use to anybody."""
    try:
        while (message := connection.recv()) is not None:
            inbox.put(message)
    except (EOFError, OSError):
        os._exit(ORPHANED)
    inbox.put(None)
