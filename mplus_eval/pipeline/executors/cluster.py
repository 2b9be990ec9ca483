"""A Ray cluster: reached, or started on this machine for one run; and what its nodes have room for.

Nothing that Ray says on its way is shown: what becomes of nodes and workers is told by the run itself. Ray's statistics
of usage are off, and of a cluster that is started here nothing listens but on this machine.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.spec.cluster import AUTO

_CONNECTED_WITHIN, _ANSWERED_WITHIN = 5.0, 30.0
"""Seconds in which the head of a cluster takes a connection, and says who it is."""
_ASK = """
import sys
from ray._private.services import canonicalize_bootstrap_address_or_die as found
from ray._raylet import GcsClient
GcsClient(address=found(sys.argv[1]))
"""
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_OBJECT_STORE = 256 * 2**20
"""Bytes that a cluster of this machine keeps for what workers send: parts, of some megabytes each."""
_WORKER_MEMORY = 2 * 2**30
"""Bytes of a worker besides its model: libraries, and the items of its plan."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, with what it has for workers."""

    id: str
    address: str
    cpus: float
    gpus: float
    memory: float

    @property
    def name(self) -> str:
        """As messages have it; of one machine there may be several, so its number is part of it."""
        return f"node {self.address} ({self.id[:6]})"


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster for as long as the block lasts.

    Args:
        address: its head, or `auto`; RAY_ADDRESS where it is None, and without that a cluster on this machine, which
            ends with the block.

    Raises:
        UsageError: it cannot be reached, or is another version's.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    import ray

    if ray.is_initialized():
        # Whoever calls `mplus_eval.compare` may have connected already.
        yield
        return
    address = _address(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "address": address}
    if address == "local":
        options |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    _be_silent()
    stopped_by = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        # Ray says at length what else might be the matter.
        raise UsageError(f"{_named(address)}: {' '.join(str(error).split())[:300]}") from None
    if threading.current_thread() is threading.main_thread():
        # Ray has a handler of its own, which prints a trace and does not let a run end as one that was stopped.
        signal.signal(signal.SIGTERM, stopped_by)
    try:
        yield
    finally:
        ray.shutdown()


def check_address(address: str | None, patience: float = _ANSWERED_WITHIN) -> None:
    """See that the head of a cluster answers, before any work and within seconds: Ray itself would wait for minutes.

    Args:
        address: as in `connected`.
        patience: seconds in which it says who it is; most of them is Ray's import.

    Raises:
        UsageError: nobody answers in time, or not as Ray does.
    """
    address = _address(address)
    if address == "local":
        return
    if address != AUTO:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECTED_WITHIN).close()
        except (OSError, OverflowError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"--address {address}: the cluster cannot be reached ({why})") from None
    # In a process of its own, since it cannot be stopped otherwise, and says things.
    asked = [sys.executable, "-c", _ASK, address]
    try:
        answered = subprocess.run(asked, capture_output=True, timeout=patience, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        answered = False
    if not answered:
        found = "this machine is part of no Ray cluster" if address == AUTO else "no head of a cluster answers there"
        raise UsageError(f"--address {address}: {found}")


def is_elsewhere(address: str | None) -> bool:
    """Whether the cluster is one that was there before, and so may have what this machine has not."""
    return _address(address) != "local"


def nodes() -> list[Node]:
    """The machines of the cluster that live."""
    import ray

    return [
        Node(
            each["NodeID"],
            each["NodeManagerAddress"],
            each["Resources"].get("CPU", 0.0),
            each["Resources"].get("GPU", 0.0),
            each["Resources"].get("memory", 0.0),
        )
        for each in ray.nodes()
        if each["Alive"]
    ]


def room(node: Node, *, gpus: float, cpus: float, model_bytes: int) -> int:
    """How many workers a node has room for.

    >>> room(Node("a", "10.0.0.1", 64, 8, 5e11), gpus=0.5, cpus=1, model_bytes=0)
    16
    >>> room(Node("a", "10.0.0.1", 64, 0, 16e9), gpus=0, cpus=1, model_bytes=2 * 10**9)
    3

    Args:
        node: the machine.
        gpus: of each worker; 0 where they compute on the processor, so that memory limits them too.
        cpus: of each worker on a processor.
        model_bytes: of the largest model's files.
    """
    if gpus:
        # Ray shares one GPU out, and gives whole ones to whoever needs several.
        return int(node.gpus) * int(1 / gpus + 1e-6) if gpus <= 1 else int(node.gpus // gpus)
    by_memory = int(node.memory // (_WORKER_MEMORY + 1.2 * model_bytes))
    return min(int(node.cpus / cpus + 1e-6), max(by_memory, 1)) if node.cpus else 0


def wants_gpus(every: Sequence[Node]) -> bool:
    """Whether some machine has a GPU, so that models are loaded nowhere else."""
    return any(node.gpus for node in every)


def _address(address: str | None) -> str:
    """The address that was given, else that of the environment, else `local` for a cluster of our own."""
    return address or os.environ.get("RAY_ADDRESS") or "local"


def _named(address: str) -> str:
    return "--executor ray" if address == "local" else f"--address {address}"


def _be_silent() -> None:
    """Keep what nodes say of workers that died off the terminal, where the run tells it in a line."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None
