"""Leases: who of several machines that share a folder does what, by files alone.

    <name>.0    the first holder's, <name>.1 that of whoever took it over, and so on: the highest number holds
                64 bytes: state, the holder's token, and how often it has renewed it

A lease is taken by creating the next number, which one process alone can. Its holder renews it in place, in a thread;
one that has not changed for a while, by the clock of whoever looks on, is taken over. No times of different machines
are ever held against each other, so clocks may be wrong or go backwards. A holder that was frozen finds a higher number
when it wakes, and knows that it holds nothing any more; what it was about to store is kept from standing beside its
successor's by `write_new`.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

LEASE_SECONDS = 60.0
"""Without being renewed, until a lease is taken over."""
_RENEWALS = 4
"""In that time."""
_FILE = re.compile(r"(?P<name>[0-9a-z-]{1,100})\.(?P<number>\d{1,6})")
_SIZE = 64


@dataclass(frozen=True)
class _Seen:
    """What a lease's file held, and since when, by the clock of whoever looks on."""

    number: int
    content: bytes
    since: float


@dataclass
class Lease:
    """One that this process holds, as far as it knows."""

    name: str
    number: int
    path: Path
    handle: int
    n_renewed: int = 0


class Leases:
    """The leases of one process in a folder."""

    def __init__(
        self, folder: Path, *, seconds: float = LEASE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the folder; it is made with the first lease.

        Args:
            folder: that all machines share.
            seconds: without a renewal, until a lease is taken over; the same on all machines.
            clock: seconds, never going backwards, of this process alone.
        """
        self._folder, self._seconds, self._clock = folder, seconds, clock
        self._token = uuid4().hex
        self._held: dict[str, Lease] = {}
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pause(self) -> float:
        """Seconds between two looks at what others hold."""
        return min(1.0, self._seconds / (2 * _RENEWALS))

    def look(self) -> tuple[set[str], set[str]]:
        """The names that others hold, and those that were given back and nobody holds."""
        held, free = set(), set()
        for name, number in self._highest().items():
            if name in self._held:
                continue
            seen = self._look_at(name, number)
            if seen.content.startswith(b"free"):
                free.add(name)
            elif self._clock() - seen.since < self._seconds:
                held.add(name)
        return held, free

    def claim(self, name: str) -> bool:
        """Take a lease, unless another process holds it, or may do so still."""
        number = self._highest(name).get(name, -1)
        if number >= 0:
            seen = self._look_at(name, number)
            if not seen.content.startswith(b"free") and self._clock() - seen.since < self._seconds:
                return False
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.{number + 1}"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        lease = Lease(name, number + 1, path, handle)
        self._write(lease, "held")
        with self._lock:
            self._held[name] = lease
        self._renew_in_thread()
        return True

    def holds(self, name: str) -> bool:
        """Whether a lease that was taken is still this process' own."""
        lease = self._held.get(name)
        return lease is not None and lease.path.exists() and self._highest(name).get(name) == lease.number

    def release(self, name: str) -> None:
        """Give a lease back."""
        with self._lock:
            lease = self._held.pop(name, None)
        if lease is not None:
            with suppress(OSError):
                self._write(lease, "free")
            os.close(lease.handle)

    def close(self, *, clear: bool = False) -> None:
        """Give all leases back, and remove all that lies in the folder where nobody needs it any more."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        for name in list(self._held):
            self.release(name)
        if clear:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def waited_for(self, name: str, is_done: Callable[[], bool]) -> Iterator[bool]:
        """Wait until a lease can be taken, or is needed no more since its holder has done the work.

        Yields:
            Whether the lease is held, so that the work is this process' to do.
        """
        claimed = False
        while not is_done() and not (claimed := self.claim(name)):
            time.sleep(self.pause)
        try:
            yield claimed
        finally:
            if claimed:
                self.release(name)

    def renew(self) -> None:
        """Renew all that is held; what cannot be is found lost by `holds`."""
        with self._lock:
            for lease in self._held.values():
                lease.n_renewed += 1
                with suppress(OSError):
                    self._write(lease, "held")

    def _renew_in_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on_renewing, name="leases", daemon=True)
            self._thread.start()

    def _go_on_renewing(self) -> None:
        while not self._end.wait(self._seconds / _RENEWALS):
            self.renew()

    def _write(self, lease: Lease, state: str) -> None:
        """Write in place, into the file that was created, whatever stands under its name by now."""
        text = f"{state} {self._token} {lease.n_renewed}\n"
        os.pwrite(lease.handle, text.ljust(_SIZE).encode(), 0)
        os.fsync(lease.handle)

    def _highest(self, name: str | None = None) -> dict[str, int]:
        """The highest number of each lease."""
        numbers: dict[str, int] = {}
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return numbers
        for entry in entries:
            if (file := _FILE.fullmatch(entry.name)) and name in (None, file["name"]):
                numbers[file["name"]] = max(int(file["number"]), numbers.get(file["name"], -1))
        return numbers

    def _look_at(self, name: str, number: int) -> _Seen:
        """What a lease holds, and since when it has held that as far as this process has seen."""
        seen = self._seen.get(name)
        if seen is not None and seen.number == number and seen.content.startswith(b"free"):
            return seen  # Nobody writes to it any more.
        try:
            content = (self._folder / f"{name}.{number}").read_bytes()
        except OSError:
            content = b""
        if seen is None or (seen.number, seen.content) != (number, content):
            seen = self._seen[name] = _Seen(number, content, self._clock())
        return seen
