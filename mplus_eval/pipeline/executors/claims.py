"""Claims: which shards this machine computes, of those that several machines share by a directory alone.

Every machine makes the same plan and cuts it into the same shards, whatever is stored already. A machine claims a shard
by a lease (`store.leases`) before a worker of it begins, and gives the lease back when the parts are stored, or the
failure is. What others hold is left to them until they give it back, or are gone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from math import inf
from pathlib import Path
from typing import Self

from mplus_eval.errors import UsageError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.plan import Plan
from mplus_eval.spec.executors import places
from mplus_eval.store.files import write_new
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.leases import LEASE_SECONDS, Leases
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import recall, sealed

SECONDS_VARIABLE = "MPLUS_EVAL_LEASE_SECONDS"
"""The environment variable with the seconds until a lease that is not renewed is taken over."""
_REPORT = "report"


class Claims:
    """The claims of one machine."""

    def __init__(self, plan: Plan, directory: RunDirectory, leases: Leases) -> None:
        """Take the directory that is shared, and note which failures are old ones, which are tried again.

        Args:
            plan: this machine's own.
            directory: that is shared.
            leases: this process' own.
        """
        self._directory, self._leases = directory, leases
        self._old = {cell.key: directory.failure_mark(*cell.key) for cell in plan.cells}

    @property
    def pause(self) -> float:
        """Seconds between two looks at what others do."""
        return self._leases.pause

    def look(self) -> tuple[set[str], set[str]]:
        """The names of shards that others hold, and of those that were given back."""
        return self._leases.look()

    def claim(self, shard: Shard) -> bool:
        """Claim a shard for a worker of this machine."""
        return self._leases.claim(name_of(shard))

    def holds(self, shard: Shard) -> bool:
        """Whether a shard that was claimed has not been taken over since."""
        return self._leases.holds(name_of(shard))

    def release(self, shard: Shard) -> None:
        """Give a shard back that is stored, or failed."""
        self._leases.release(name_of(shard))

    def failure(self, cell: tuple[str, str]) -> str | None:
        """Why a cell failed on another machine since this one began; None where it did not."""
        mark = self._directory.failure_mark(*cell)
        return None if mark is None or mark == self._old.get(cell) else self._directory.failure(*cell)

    def to_report(self, is_done: Callable[[], bool]) -> AbstractContextManager[bool]:
        """Wait until this machine may write the report, or another has; tell whether it may."""
        return self._leases.waited_for(_REPORT, is_done)

    def clear(self) -> None:
        """Remove all leases, once the report is there and nobody needs them any more."""
        self._leases.close(clear=True)

    @classmethod
    @contextmanager
    def of_run(cls, plan: Plan, directory: RunDirectory) -> Iterator[Self]:
        """The claims of this process, for as long as the block lasts.

        Raises:
            UsageError: the machines that are at work there have other cells in their plans, or the directory cannot be
                shared.
        """
        leases = Leases(directory.leases, seconds=_seconds())
        _refuse_without_links(directory)
        _agree(plan, directory)
        try:
            yield cls(plan, directory, leases)
        finally:
            leases.close()


def name_of(shard: Shard) -> str:
    """The name of a shard's lease, the same on all machines."""
    parts = {"model": shard.model, "cell": " × ".join(shard.cell), "part": str(shard.parts[0])}
    return hash_components({**parts, "fingerprint": shard.fingerprint, "follow-up": shard.follow_up})[:32]


def _seconds() -> float:
    """Until a lease that is not renewed is taken over."""
    text = os.environ.get(SECONDS_VARIABLE) or str(LEASE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise UsageError(f"{SECONDS_VARIABLE}={text}: a number of seconds above 0 is accepted")
    return seconds


def _agree(plan: Plan, directory: RunDirectory) -> None:
    """Refuse to work beside a machine that would compute something else: its answers and these would be mixed."""
    path = directory.shared_plan
    own = {cell.name: {**cell.components, **_kind_of_device(plan, cell.model)} for cell in plan.cells}
    while (theirs := recall(path, always_sealed=True)) is None:
        # Of machines that begin at the same moment one is first; the others read what it wrote.
        if write_new(path, sealed(own)):
            return
    names = [name for name in {**theirs, **own} if theirs.get(name) != own.get(name)]
    if names:
        keys = sorted(_keys(theirs.get(names[0], {}), own.get(names[0], {})))
        raise UsageError(
            f"{directory.path}: another machine shares this directory for a plan with different {', '.join(keys)} of "
            f"{names[0]}; start all with the same command and versions, or remove {path} where none is at work"
        )


def _kind_of_device(plan: Plan, model: ResolvedModel) -> dict[str, str]:
    """Where a model is computed: on a GPU and on a processor its numbers differ by rounding, so by who came first."""
    if model.location.path is None:
        return {}
    if plan.spec.devices is not None:
        kind = "cuda" if any(place.gpus for place in places(plan.spec.devices)) else "cpu"
    else:
        from mplus_eval.backends.hf import device_of

        kind = device_of(model.spec).partition(":")[0]
    return {"kind of device": kind}


def _keys(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {key for key in {**one, **other} if one.get(key) != other.get(key)} or {"cells"}


def _refuse_without_links(directory: RunDirectory) -> None:
    """Hard links are what keeps two machines from finishing one part."""
    directory.leases.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".link-", dir=directory.leases)
    os.close(handle)
    try:
        os.link(name, f"{name}-2")
        Path(f"{name}-2").unlink()
    except OSError as error:
        raise UsageError(
            f"--executor shared: {directory.path} lies on a file system without hard links ({error.strerror})"
        ) from None
    finally:
        Path(name).unlink()
