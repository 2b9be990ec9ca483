"""A run directory: where answers, outcomes, the manifest and the comparison of one run lie.

comparison.json  report.html  report.md  figures/  manifest.json
answers/<model>/<task>/part-00000.parquet     outcomes/<model>/<task>/part-00000.parquet
likelihoods/<model>/<set>/part-00000.parquet  how likely the baseline thinks what a model said to a set of prompts
judgements/<judge>/<model>/part-00000.parquet a model's answers to dialogues against the baseline's, by a judge's number
failures/<model>/<task>.json                  the cause of a cell that failed, until it is computed again
.leases/                                      which machine computes what, where several share the directory
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import UsageError
from mplus_eval.redaction import without_secrets
from mplus_eval.store.checksummed import DamagedPartError
from mplus_eval.store.files import FULL_DISK, STORED_NAME, clear_leftovers
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, cell_tables, part_info, part_path, read_cell, values_of
from mplus_eval.store.sealed import recall, write_sealed

if TYPE_CHECKING:
    import pandas as pd


_FILES = (
    "comparison.json",
    "manifest.json",
    "contamination.json",
    "report.html",
    "report.md",
    "report-short.md",
    "items.html",
    ".finished.json",
    ".lock",
)
_FOLDERS = {
    "answers": 2,
    "outcomes": 2,
    "likelihoods": 2,
    "judgements": 1,
    "failures": 1,
    "figures": 0,
    "export": 0,
    ".leases": 0,
}
"""Those of a run, and how many levels of folders lie in each above its files, at least."""


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one run and the names of what lies in it.

    With `fingerprints` of a plan's cells, by model and task, only what these cells are made of is read; without, what
    the first part of each cell says that it is made of.
    """

    path: Path
    fingerprints: Mapping[tuple[str, str], str] | None = None
    is_shared: bool = False
    """Whether other processes compute parts of the same cells, so that a part is written by one of them alone."""

    @property
    def comparison(self) -> Path:
        """The comparison, for machines."""
        return self.path / "comparison.json"

    @property
    def manifest(self) -> Path:
        """How the run was made."""
        return self.path / "manifest.json"

    @property
    def leases(self) -> Path:
        """The folder of the leases of machines that share the directory."""
        return self.path / ".leases"

    @property
    def shared_plan(self) -> Path:
        """What these machines compute, all of them."""
        return self.leases / "plan.json"

    def answers(self, model: str, task: str) -> Path:
        """The folder of one cell's answers."""
        return self._folder("answers", model, task)

    def outcomes(self, model: str, task: str) -> Path:
        """The folder of one cell's outcomes."""
        return self._folder("outcomes", model, task)

    def likelihoods(self, model: str, prompt_set: str) -> Path:
        """The folder of what the baseline thinks of one model's answers to a set of prompts."""
        return self._folder("likelihoods", model, prompt_set)

    def judgements(self, judge: int, model: str) -> Path:
        """The folder of what one judge, by its number from 1, says of one model against the baseline."""
        return self._folder("judgements", str(judge), model)

    def grades(self, model: str) -> Path:
        """The folder of the grades that a language model gave one model's answers."""
        return self._folder("judgements", "grades", model)

    def refusals(self, model: str, prompt_set: str) -> Path:
        """The folder of what a language model says of one model's answers to a set of requests."""
        return self._folder("judgements", "refusals", model, prompt_set)

    def read_answers(self, model: str, task: str) -> Iterator[Answer]:
        """What a model said to a task, item by item; nothing where nothing of this run is stored."""
        fingerprint = self._fingerprint(model, task)
        first = part_info(part_path(self.answers(model, task), 0))
        if first is not None and fingerprint in (None, first.fingerprint):
            yield from read_cell(self.answers(model, task), Answer)

    def read_outcomes(self, model: str, task: str) -> Iterator[Outcome]:
        """The same scored."""
        return read_cell(self.outcomes(model, task), Outcome, self.made_of(model, task))

    def outcome_frame(self, model: str, task: str, columns: Sequence[str] = ()) -> pd.DataFrame:
        """The stored outcomes of one cell, with all columns or those named; empty where there are none."""
        import pandas as pd
        import pyarrow as pa

        names = columns or Outcome.SCHEMA.names
        tables = list(cell_tables(self.outcomes(model, task), Outcome, names, self.made_of(model, task)))
        if not tables:
            return pd.DataFrame()
        # A column that came later than some parts is null there.
        whole = pa.concat_tables(tables, promote_options="default")
        # Lists stay lists, of which arrow would make arrays, and a column without a value stays one of None.
        kept = {
            name: values_of(column)
            for name, column in zip(whole.column_names, whole.columns, strict=True)
            if pa.types.is_list(column.type) or column.null_count == len(column)
        }
        frame: pd.DataFrame = whole.to_pandas(maps_as_pydicts="lossy", use_threads=False)
        return frame.assign(**kept)

    def made_of(self, model: str, task: str) -> dict[str, str]:
        """The components that whatever is made of a cell's answers must have: see `cell_parts`."""
        fingerprint = self._fingerprint(model, task)
        return {} if fingerprint is None else {"answers": fingerprint}

    def _fingerprint(self, model: str, task: str) -> str | None:
        """That of the cell in the plan; None without a plan, and one that nothing has for a cell that is not in it."""
        return None if self.fingerprints is None else self.fingerprints.get((model, task), "not in the plan")

    def answered(self, model: str, task: str, index: int) -> PartInfo | None:
        """What one part of a cell's answers says of itself, or None where it is missing."""
        return part_info(part_path(self.answers(model, task), index))

    def stored(self, model: str, task: str) -> PartInfo | None:
        """What the first whole part that is stored of a cell's answers says of itself, or None where there is none."""
        for path in sorted(self.answers(model, task).glob("part-*.parquet")):
            try:
                if info := part_info(path):
                    return info
            except DamagedPartError:
                continue  # it is made again
        return None

    def write_failure(self, model: str, task: str, cause: str) -> None:
        """Store why a cell failed."""
        write_sealed(self._failure(model, task), {"model": model, "task": task, "cause": without_secrets(cause)})

    def failure(self, model: str, task: str) -> str | None:
        """Why a cell failed, or None."""
        stored = recall(self._failure(model, task)) or {}
        return str(stored["cause"]) if "cause" in stored else None

    def failure_mark(self, model: str, task: str) -> tuple[int, int] | None:
        """What tells one note of a failure from a later one, by whichever process; None where there is none."""
        try:
            status = self._failure(model, task).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def clear_failure(self, model: str, task: str) -> None:
        """Forget a failure, because the cell is computed again."""
        self._failure(model, task).unlink(missing_ok=True)

    def _folder(self, *names: str) -> Path:
        """What lies below the folder of the run; names of a run that somebody else made may not lead out of it."""
        for name in names:
            if not STORED_NAME.fullmatch(name):
                raise UsageError(f"{self.path}: the name {name[:100]!r}, of a model or task, cannot be a path")
        return self.path.joinpath(*names)

    def _failure(self, model: str, task: str) -> Path:
        return self._folder("failures", model, f"{task}.json")

    def refuse_foreign(self) -> None:
        """Refuse a link, or another kind of thing where a file or folder of a run should be.

        A run directory may be somebody else's, so nothing in it is followed or written through.

        Raises:
            UsageError: naming the first.
        """
        for name in _FILES:
            path = self.path / name
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise _foreign(path, "file")
        for folder, depth in _FOLDERS.items():
            _refuse_within(self.path / folder, depth)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process; a second one gets a clear refusal instead of a mixed run.

        Where it `is_shared`, others that share it may hold it too, and none that does not. The lock is the operating
        system's, so it is free again when a process is killed.
        """
        from filelock import Timeout

        lock = _shared_lock(self) if self.is_shared else _lock(self.path / ".lock")
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(lock)
            except Timeout:
                raise UsageError(f"{self.path}: another mplus-eval is working in this directory") from None
            except OSError as error:
                if error.errno in FULL_DISK:
                    raise
                raise UsageError(f"--output {self.path}: a run cannot be stored there ({error.strerror})") from None
            clear_leftovers([self.path])
            yield


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    from filelock import FileLock

    lock = FileLock(path)
    lock.acquire(timeout=0)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _shared_lock(directory: RunDirectory) -> Iterator[None]:
    """The same lock, held together with others; the first of them forgets what earlier ones computed."""
    import fcntl

    from filelock import Timeout

    path = directory.path / ".lock"
    with path.open("a+b") as file:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            directory.shared_plan.unlink(missing_ok=True)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Timeout(str(path)) from None
        if os.fstat(file.fileno()).st_nlink == 0:
            raise Timeout(str(path))  # Whoever held it alone has removed it just now.
        yield


def _refuse_within(folder: Path, depth: int) -> None:
    """Refuse a folder that is none, and links in it; `depth` is that of the folders that it must have below it."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise _foreign(folder, "folder")
    try:
        entries = list(os.scandir(folder)) if folder.exists() else []
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read ({error.strerror})") from None
    for entry in entries:
        if entry.is_symlink():
            raise _foreign(Path(entry.path), "folder" if depth else "file")
        if entry.is_dir():
            _refuse_within(Path(entry.path), max(depth - 1, 0))
        elif depth and not entry.name.startswith("."):
            raise _foreign(Path(entry.path), "folder")


def _foreign(path: Path, kind: str) -> UsageError:
    found = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "something else"
    return UsageError(f"{path}: a {kind} of this run is expected there, found {found}; remove it, or name another run")
