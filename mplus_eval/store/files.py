"""The one way to write a file: whole or not at all, also when the process is killed or the power goes."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk is called."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is either the old one or the new one, never half of it.

    The bytes are synced before the file gets its name, and the folder after that, so a name never stands for bytes that
    are not there. Two writers of one file do not meet: each has a hidden file of its own.

    Raises:
        OSError: when it cannot be written; what stood there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with partial.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a mapping as JSON, whole."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders, and keeps a name when the file is closed.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
