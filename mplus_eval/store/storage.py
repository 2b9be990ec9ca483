"""Storage: the parts of a run in a place that `fsspec` reaches, beside the run directory.

    s3://bucket/run/answers/<model>/<task>/part-00000.parquet     laid out as a run directory is
    s3://bucket/run/comparison.json  manifest.json  report.html   once the run is finished

Workers that share no directory put their parts there, and whoever goes on with the run somewhere else fetches them. An
object of S3 or of Google's storage is there once it is whole, and a file is written as every file is (`store.files`).
What is fetched is held against the checksum within it, and is taken for missing where it fails. Credentials come from
the environment, and from nowhere else.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mplus_eval.errors import InterruptedRunError, UsageError
from mplus_eval.store.checksummed import is_whole
from mplus_eval.store.files import write_whole

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PART = re.compile(r"(answers|outcomes|likelihoods|judgements)(/[^/\\\0]{1,200}){2,3}/part-\d{5}\.parquet")
_RESULTS = ("comparison.json", "manifest.json", "report.html", "report.md", "report-short.md", "items.html")
_FIGURES = "figures"
_AT_ONCE = 16
"""Files that are read or written together."""
_EVERY = 5.0
"""Seconds between two looks at what is new."""
_TRIES = 3
_LASTING = (FileNotFoundError, NotADirectoryError, PermissionError)

Given = TypeVar("Given")


@dataclass(frozen=True)
class Storage:
    """A folder behind an address that `spec.storage` finds nothing wrong with; it can be sent to another process."""

    url: str

    def parts(self) -> dict[str, int]:
        """Bytes of every part that lies there, by its path in a run directory; nothing else is looked at."""
        self._files.invalidate_cache()
        found = self._ask("listed", lambda: self._files.find(self._root, detail=True))
        names = {path[len(self._root) :].lstrip("/"): int(entry["size"]) for path, entry in found.items()}
        return {name: size for name, size in names.items() if _is_part(name)}

    def put(self, name: str, content: bytes) -> None:
        """Store a file, whole or not at all.

        Raises:
            InterruptedRunError: it cannot be, after some tries.
        """
        place = f"{self._root}/{name}"
        if self.url.startswith("file:"):
            self._ask("written", lambda: write_whole(Path(place), content))
        else:
            self._ask("written", lambda: self._files.pipe_file(place, content))

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The content of parts, by name, in the order of the names; those that are damaged are left out, and logged."""
        wanted = list(names)
        for name, content in zip(wanted, _at_once(self._read, wanted), strict=True):
            if is_whole(content):
                yield name, content
            else:
                logging.getLogger(__name__).warning("%s/%s is damaged; it is made again", self.url, name)

    def _read(self, name: str) -> bytes:
        return self._ask("read", lambda: bytes(self._files.cat_file(f"{self._root}/{name}")))

    def check(self) -> None:
        """See that files can be listed and written there.

        Raises:
            UsageError: they cannot.
        """
        try:
            self.parts()
            self.put(".mplus-eval", b"parts of a run of mplus-eval compare\n")
        except InterruptedRunError as error:
            raise UsageError(f"--storage {error}") from None

    @cached_property
    def _files(self) -> AbstractFileSystem:
        import fsspec

        # What others put there in the meantime is seen.
        return fsspec.filesystem(self.url.partition("://")[0], use_listings_cache=False)

    @cached_property
    def _root(self) -> str:
        return str(self._files._strip_protocol(self.url)).rstrip("/")

    def _ask(self, doing: str, action: Callable[[], Given]) -> Given:
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        faults = _faults(self.url)
        retrying = Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(0.2, max=2),
            # Whether there is a bucket, or a right to it, is no matter of patience.
            retry=retry_if_exception(lambda error: isinstance(error, faults) and not isinstance(error, _LASTING)),
            reraise=True,
        )
        try:
            return retrying(action)
        except faults as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise InterruptedRunError(f"{self.url}: cannot be {doing} ({why})") from error


class Mirror:
    """A run directory, and the storage that is kept like it."""

    def __init__(self, storage: Storage, path: Path) -> None:
        """Name both; nothing is read or written yet."""
        self.storage, self._path = storage, path
        self._same: dict[str, tuple[int, int]] = {}
        """Size and time of the files here that are known to lie there too."""

    def pull(self) -> int:
        """Fetch the parts that are not here; return how many were."""
        there = self.storage.parts()
        missing = [name for name in there if not os.path.lexists(self._path / name)]
        n_fetched = 0
        for name, content in self.storage.read(missing):
            self.take(name, content)
            n_fetched += 1
        for name, size in there.items():
            if name not in self._same and (mark := _mark(self._path / name)) is not None and mark[0] == size:
                self._same[name] = mark
        return n_fetched

    def take(self, name: str, content: bytes) -> None:
        """Write a part here that lies there already."""
        write_whole(self._path / name, content)
        if (mark := _mark(self._path / name)) is not None:
            self._same[name] = mark

    def push(self, *, results: bool = False) -> int:
        """Put there what is new here: parts, and with `results` what a finished run leaves; return how many files."""
        names = [*_parts_in(self._path), *(_results_in(self._path) if results else ())]
        return sum(_at_once(self._put, names))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put there what is new, every few seconds for as long as the block lasts, and at its end.

        Raises:
            InterruptedRunError: at the end, what is here could not be put there; in between it is tried again.
        """
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(_EVERY):
                try:
                    self.push()
                except InterruptedRunError as error:
                    logging.getLogger(__name__).warning("%s; it is tried again", error)

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.push()

    def _put(self, name: str) -> bool:
        """Put one file there where it is new; return whether it was."""
        mark = _mark(self._path / name)
        if mark is None or mark == self._same.get(name):
            return False
        self.storage.put(name, (self._path / name).read_bytes())
        self._same[name] = mark
        return True


def _at_once(act: Callable[[str], Given], names: Sequence[str]) -> Iterator[Given]:
    """Do something with some files at a time, since most of the time for a small one is the way; in their order."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        # Not all are begun, so that what was read and not taken yet stays small.
        for first in range(0, len(names), _AT_ONCE):
            yield from threads.map(act, names[first : first + _AT_ONCE])


def _is_part(name: str) -> bool:
    """Whether a name is that of a part; one that leads out of a run directory is none."""
    return _PART.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def _parts_in(path: Path) -> Iterator[str]:
    names = (file.relative_to(path).as_posix() for file in sorted(path.rglob("part-*.parquet")))
    return (name for name in names if _is_part(name))


def _results_in(path: Path) -> Iterator[str]:
    figures = sorted((path / _FIGURES).glob("*")) if (path / _FIGURES).is_dir() else []
    files = [*(path / name for name in _RESULTS), *figures]
    return (file.relative_to(path).as_posix() for file in files if file.is_file())


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _faults(url: str) -> tuple[type[Exception], ...]:
    """What goes wrong with a place of this kind: its libraries have errors of their own."""
    if url.startswith("s3:"):
        from botocore.exceptions import BotoCoreError, ClientError

        return (OSError, BotoCoreError, ClientError)
    if url.startswith("gs:"):
        from aiohttp import ClientError as ConnectionFault
        from gcsfs.retry import HttpError
        from google.auth.exceptions import GoogleAuthError

        return (OSError, ConnectionFault, HttpError, GoogleAuthError)
    return (OSError,)
