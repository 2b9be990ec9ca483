"""The one way to write a file: whole or not at all, also when the process is killed or the power goes.

What a killed process leaves is a hidden file that bears the machine and the process, and so is told from one that is
being written. What stands where a file should be and is none of ours, or damaged, is set aside under another name.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path

STORED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@~-]{0,199}")
"""The name of a model, task or set where it is a path: as the command line accepts it, or longer, with the marks of
saved steps and noise reruns."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk is called."""
_PARTIAL = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})\.(?P<process>\d+)\.\d+")
_OLD = 24 * 3600
"""Seconds after which nothing is still being written, on whatever machine."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is either the old one or the new one, never half of it.

    The bytes are synced before the file gets its name, and the folder after that, so a name never stands for bytes that
    are not there. Two writers of one file do not meet: each has a hidden file of its own. A link is replaced, and what
    it points to is left alone.

    Raises:
        OSError: when it cannot be written; what stood there stays.
    """
    with _partial(path, content) as partial:
        partial.replace(path)


def write_new(path: Path, content: bytes) -> bool:
    """Write a file whole where none stands, which one process alone can, also of several machines.

    Returns:
        Whether it was written; false where another process was first.

    Raises:
        OSError: when it cannot be written, or the file system has no hard links.
    """
    with _partial(path, content) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
    return True


def move_away(path: Path, content: bytes) -> bool:
    """Remove a file that holds this content; one that another process has put in its place meanwhile is put back."""
    away = _hidden(path)
    try:
        path.rename(away)
    except FileNotFoundError:
        return True
    try:
        if away.read_bytes() == content:
            return True
        with suppress(FileExistsError):
            os.link(away, path)
        return False
    finally:
        away.unlink(missing_ok=True)


@contextmanager
def _partial(path: Path, content: str | bytes) -> Iterator[Path]:
    """A hidden file with a content, synced; to be given its name within the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _hidden(path)
    try:
        with partial.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        yield partial
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{_machine()}.{os.getpid()}.{threading.get_ident()}")


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a mapping as JSON, whole; half a surrogate pair, which no encoding has, as JSON's escape of it."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def set_aside(path: Path) -> Path:
    """Give what stands at a path another name, so that the right thing can be made there.

    A link is renamed itself, and not what it points to.

    Returns:
        The other name: `<name>.damaged`, with a number where that is taken and cannot be replaced.
    """
    names = (path.with_name(f"{path.name}.damaged{number or ''}") for number in count())
    other = next(name for name in names if not os.path.lexists(name) or (path.is_file() and name.is_file()))
    path.replace(other)
    return other


def clear_leftovers(folders: Iterable[Path]) -> None:
    """Remove the hidden files that killed processes left half written in these folders and below them.

    Those of a process that lives are left alone, and those of another machine for a day, since whether its processes
    live cannot be known here.
    """
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                if name.startswith(".") and (partial := _PARTIAL.fullmatch(name)):
                    path = Path(parent, name)
                    with suppress(OSError):
                        if _is_left(path, partial["machine"], int(partial["process"])):
                            path.unlink()


def _is_left(path: Path, machine: str, process: int) -> bool:
    if machine == _machine():
        import psutil

        return not psutil.pid_exists(process)
    return time.time() - path.lstat().st_mtime > _OLD


@cache
def _machine() -> str:
    """A short name of this machine."""
    return sha256(platform.node().encode()).hexdigest()[:8]


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders, and keeps a name when the file is closed.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
