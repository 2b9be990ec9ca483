"""JSON files that tell whether they are what was written: the last key is a hash of all the others.

    {
      "mean": 0.5,
      "deviation": 2.0,
      "sha256": "6ad3…"      of {"deviation":2.0,"mean":0.5}: the other keys sorted, without spaces, in ASCII
    }

A flipped bit in a number still parses, so nothing else would tell. A file without the key, of an earlier version or of
another program, is read as it is.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.store.files import set_aside, write_whole

SEAL = "sha256"


class DamagedFileError(UsageError):
    """A stored file is not what was written; `why` says it without the file's name."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong with it."""
        self.why = why
        super().__init__(f"{path} is damaged ({why})")


def write_sealed(path: Path, value: Mapping[str, object]) -> None:
    """Write a mapping as JSON with its seal, whole or not at all."""
    write_whole(path, sealed(value))


def write_sealed_text(path: Path, text: str) -> None:
    """Write the JSON text of an object, as it is, with its seal behind its last key; whole or not at all."""
    write_whole(path, _sealed_text(text))


def sealed(value: Mapping[str, object]) -> bytes:
    """A mapping as JSON with its seal."""
    return _sealed_text(json.dumps(value, indent=2, ensure_ascii=False))


def _sealed_text(text: str) -> bytes:
    opened = text.rstrip().removesuffix("}").rstrip()
    comma = "" if opened.endswith("{") else ","
    whole = f'{opened}{comma}\n  "{SEAL}": "{_hash(json.loads(text))}"\n}}\n'
    # Half a surrogate pair, which no encoding has, becomes JSON's escape of it.
    return whole.encode("utf-8", "backslashreplace")


def read_sealed(path: Path, *, always_sealed: bool = False) -> dict[str, Any]:
    """The object that a JSON file holds, without its seal.

    Args:
        path: the file.
        always_sealed: whether there never were such files without a seal, so that one is damaged or foreign.

    Raises:
        DamagedFileError: it is no file, cannot be read, holds no object, or another one than was written.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DamagedFileError(path, "no file stands there")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise DamagedFileError(path, f"it cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DamagedFileError(path, f"it holds no JSON: {' '.join(str(error).split())[:100]}") from None
    except RecursionError:
        raise DamagedFileError(path, "its JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise DamagedFileError(path, f"an object is expected, found {type(value).__name__}")
    if (always_sealed or SEAL in value) and value.pop(SEAL, None) != _hash(value):
        raise DamagedFileError(path, f"its content does not have its {SEAL}")
    return value


def recall(path: Path, *, always_sealed: bool = False) -> dict[str, Any] | None:
    """The same of a file that can be made again: None where it is not there; set aside where it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        return read_sealed(path, always_sealed=always_sealed)
    except DamagedFileError as error:
        forget(path, str(error))
        return None


def forget(path: Path, why: str) -> None:
    """Set a file aside that can be made again, and say so in the log."""
    with suppress(OSError):
        why += f"; it is kept as {set_aside(path).name} and made again"
    logging.getLogger(__name__).warning("%s", why)


def _hash(value: Mapping[str, object]) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
