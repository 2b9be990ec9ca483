"""Files that others wrote, read with every fault told by file and line: nothing in them is trusted, and none is run."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError

LONGEST_LINE = 64 * 2**20
"""Bytes of one line, above which a file is taken for something else."""
LARGEST_JSON = 2 * 2**30
_MOST_DIGITS = 300

Row = Mapping[str, Any]


def files_under(folder: Path) -> Iterator[Path]:
    """The regular files of a folder and those below it, by name, or the one file that is named.

    Links to folders are not followed.
    """
    if folder.is_file():
        yield folder
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file():
                yield path


def json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a JSONL file, each with its place for messages; empty lines are passed over.

    Raises:
        UsageError: a line is too long, not UTF-8, or no JSON object.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                where = f"{path}, line {number}"
                if len(line) > LONGEST_LINE:
                    raise UsageError(f"{where}: longer than {LONGEST_LINE // 2**20} MiB")
                if line.strip():
                    yield where, _object(line, where)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def json_file(path: Path) -> Row:
    """The object that a JSON file holds.

    Raises:
        UsageError: it cannot be read, is too large, or holds no JSON object.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise UsageError(f"{path}: larger than {LARGEST_JSON // 2**30} GiB")
        return _object(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def json_object(content: bytes, where: str) -> Row:
    """The object that some bytes hold; arguments and errors as of the others."""
    return _object(content, where)


def _object(content: bytes, where: str) -> Row:
    try:
        row = json.loads(content.decode("utf-8-sig"), parse_int=_integer)
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not UTF-8") from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deep") from None
    except ValueError as error:
        raise UsageError(f"{where}: no JSON ({error})") from None
    if not isinstance(row, dict):
        raise UsageError(f"{where}: a JSON object is expected, not {_named(row)}")
    # JSON can write half a surrogate pair, which no file of text can.
    return _whole(row) if b"\\ud" in content or b"\\uD" in content else row


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _whole(value: Any) -> Any:
    """A value in whose texts a mark stands for every half of a surrogate pair."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def text_of(row: Row, key: str, where: str) -> str:
    """A text that must be there and not be empty."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: {key!r} must be a text that is not empty, not {_named(value)}")
    return value


def optional_text(row: Row, key: str, where: str) -> str | None:
    """A text, or None where it is absent or null."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: {key!r} must be a text, not {_named(value)}")
    return value


def whole_number(row: Row, key: str, where: str, default: int | None = None) -> int:
    """A whole number from 0 on."""
    value = row.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{where}: {key!r} must be a whole number from 0 on, not {_named(value)}")
    return value


def finite(row: Row, key: str, where: str) -> float:
    """A number that is one: no text, no truth value, no NaN, not infinite."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{where}: {key!r} must be a number, not {_named(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UsageError(f"{where}: {key!r} must be a finite number, not {str(value)[:20]}")
    return number


def mapping(row: Row, key: str, where: str) -> Row:
    """An object within an object; empty where it is absent or null."""
    value = row.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {key!r} must be an object, not {_named(value)}")
    return value


def sequence(row: Row, key: str, where: str) -> list[Any]:
    """A list within an object; empty where it is absent or null."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise UsageError(f"{where}: {key!r} must be a list, not {_named(value)}")
    return value


def _named(value: object) -> str:
    """A value as a message shows it."""
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:60]!r}"
