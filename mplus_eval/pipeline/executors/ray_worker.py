"""A worker as an actor of Ray: a process on some node that keeps its model loaded, and computes what it is given.

It makes a plan of its own there, of the same `CompareSpec`, and is refused where this would compute something else than
the driver's. Where it sees the driver's run directory it stores there; elsewhere it stores in a folder of its own, and
what it makes is sent back.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import MplusError
from mplus_eval.pipeline.executors.base import Advanced, Finished
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.executors.worker import Loader, Worker
from mplus_eval.pipeline.plan import Plan
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.store.files import write_whole
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import part_path
from mplus_eval.store.run_directory import RunDirectory

_SCRATCH = "mplus-eval-worker-"

Files = dict[str, bytes]
"""Parts by their paths in a run directory."""


@dataclass(frozen=True)
class SharedFolder:
    """How a run directory is known again from another process: by its lock, which a driver holds."""

    path: str
    inode: int
    changed: int

    @classmethod
    def of(cls, directory: RunDirectory) -> SharedFolder | None:
        """That of a run that is going on; None where nobody holds it."""
        return cls._at(str(directory.path.resolve()))

    @property
    def is_here(self) -> bool:
        """Whether this process sees the same folder."""
        return self._at(self.path) == self

    @classmethod
    def _at(cls, path: str) -> SharedFolder | None:
        try:
            status = Path(path, ".lock").stat()
        except OSError:
            return None
        return cls(path, status.st_ino, status.st_mtime_ns)


@dataclass(frozen=True)
class Briefing:
    """What a worker must know.

    Attributes:
        spec: what was asked for.
        seat: where it sits.
        folder: the driver's working directory, which relative paths count from.
        shared: the run directory, where others may see it.
        cells: the hash of every cell's name and fingerprint in the driver's plan.
        load: how a model is loaded; the backends' own way when None.
    """

    spec: CompareSpec
    seat: Seat
    folder: str
    shared: SharedFolder | None
    cells: str
    load: Loader | None = None


@dataclass(frozen=True)
class Begun:
    """How a worker began: why it cannot take part, or None; and whether it stores where the driver does."""

    refusal: str | None
    shares: bool = False


class RayWorker:
    """An actor of Ray around a `Worker`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take what of the driver's environment libraries read when they are imported."""
        os.environ.update(environment)
        self._plan: Plan | None = None
        self._worker: Worker | None = None

    def begin(self, versions: Mapping[str, str], briefing: bytes, told: Any) -> Begun:
        """Make the plan.

        Args:
            versions: the driver's, which are held against this node's before anything else of the driver is looked at.
            briefing: a pickled `Briefing`.
            told: the actor that hears how far workers are.
        """
        if differ := differences(versions, versions_here()):
            return Begun(differ)
        brief: Briefing = pickle.loads(briefing)
        if Path(brief.folder).is_dir():
            os.chdir(brief.folder)
        from mplus_eval.log_setup import silence_libraries
        from mplus_eval.pipeline.prepare import prepare_plan

        silence_libraries()
        self._is_shared = brief.shared is not None and brief.shared.is_here
        folder = Path(brief.shared.path) if self._is_shared and brief.shared else _scratch()
        self._directory = RunDirectory(folder)
        try:
            plan = prepare_plan(brief.spec.model_copy(update={"output": folder}), self._directory)
        except MplusError as error:
            return Begun("; ".join(str(error).splitlines()))
        if cells_hash(plan.cells) != brief.cells:
            return Begun("its plan has other cells: models, data or task definitions differ there")

        def tell(event: Advanced) -> None:
            told.add.remote(event)

        self._plan = plan
        self._worker = Worker(plan, self._directory, seat=brief.seat, tell=tell, load=brief.load)
        return Begun(None, self._is_shared)

    def work(self, shard: Shard, stored: Files) -> tuple[Finished, Files | None]:
        """Compute a shard.

        Args:
            shard: it.
            stored: what the driver has of its parts already, where the directory is not shared.

        Returns:
            How it ended, and the parts that were made; None where the driver sees them.

        Raises:
            OSError: the disk is full.
        """
        assert self._worker is not None
        if self._is_shared:
            return self._worker.work(shard), None
        for name, content in stored.items():
            write_whole(self._directory.path / name, content)
        finished = self._worker.work(shard)
        made = {name: content for name, content in shard_files(self._directory, shard) if stored.get(name) != content}
        for name in {*stored, *made}:
            # What the driver has is not needed here any more.
            (self._directory.path / name).unlink(missing_ok=True)
        return finished, made

    def judge(self, axis: str, cells: Sequence[tuple[str, str]], stored: Files) -> tuple[dict[str, str], Files]:
        """Judge the answers of some cells, by an axis of this worker's plan.

        Args:
            axis: its name.
            cells: names of model and task.
            stored: answers and judgements that the driver has, where the directory is not shared.

        Returns:
            What the axis says of its judges, and the judgements that the driver has not.
        """
        assert self._plan is not None
        for name, content in stored.items():
            write_whole(self._directory.path / name, content)
        wing = next(each for each in self._plan.axes if each.name == axis)
        of_axis = [cell for cell in self._plan.of_axis(wing) if cell.key in set(cells)]
        found = wing.judge(of_axis, self._directory, lambda *_: None, lambda _: None)
        judged = sorted((self._directory.path / "judgements").rglob("part-*.parquet"))
        files = {path.relative_to(self._directory.path).as_posix(): path.read_bytes() for path in judged}
        made = {name: content for name, content in files.items() if stored.get(name) != content}
        return dict(found), {} if self._is_shared else made

    def close(self) -> None:
        """Give back the model and the folder."""
        if self._worker is not None:
            self._worker.close()
            if not self._is_shared:
                shutil.rmtree(self._directory.path, ignore_errors=True)


def shard_files(directory: RunDirectory, shard: Shard) -> Iterator[tuple[str, bytes]]:
    """What a directory has of a shard's parts: answers, outcomes, likelihoods."""
    for folder in (directory.answers, directory.outcomes, directory.likelihoods):
        for index in shard.parts:
            path = part_path(folder(*shard.cell), index)
            if path.is_file():
                yield path.relative_to(directory.path).as_posix(), path.read_bytes()


def versions_here() -> dict[str, str]:
    """Of this package and of those that numbers may depend on."""
    from mplus_eval import __version__
    from mplus_eval.pipeline.versions import versions

    found = {"mplus-eval": __version__, **versions()}
    # Ray itself sees to it that both are the same 3.x.
    del found["python"]
    return found


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """In which versions a node differs from the driver, by name; empty where it does not.

    >>> differences({"torch": "2.13.0", "vllm": "0.31.0"}, {"torch": "2.12.0"})
    'it has torch 2.12.0, the driver 2.13.0; no vllm, the driver 0.31.0'
    """
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    told = [
        f"{f'{name} {found[name]}' if name in found else f'no {name}'}, the driver {wanted.get(name, 'none')}"
        for name in names
    ]
    return f"it has {'; '.join(told)}" if told else ""


def cells_hash(cells: Iterable[Any]) -> str:
    """One hash over the names and fingerprints of all cells."""
    return hash_components({"\0".join(cell.key): cell.fingerprint for cell in cells})


def _scratch() -> Path:
    """A new folder for this process; those of processes that are gone are removed."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        owner = re.match(rf"{_SCRATCH}(\d+)-", folder.name)
        if owner is not None and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-"))
