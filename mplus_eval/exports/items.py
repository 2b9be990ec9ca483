"""The stored items of a cell, subtask by subtask, and files of lines that are written as they are read.

A cell may hold a hundred thousand items, so no more than one part of it is in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import cell_parts, read_columns, read_part

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun


def subtasks(run: StoredRun, model: str, task: str) -> dict[str, list[Path]]:
    """The parts of a cell's outcomes by subtask; empty where nothing is stored.

    A later round of a sequential run adds parts to subtasks that have some, so the parts of one need not be neighbours.
    """
    parts: dict[str, list[Path]] = {}
    for path in cell_parts(run.directory.outcomes(model, task)):
        for stratum in dict.fromkeys(read_columns(path, ["stratum"], Outcome)["stratum"].to_pylist()):
            parts.setdefault(stratum, []).append(path)
    return parts


def outcomes(parts: Sequence[Path], subtask: str) -> Iterator[Outcome]:
    """The outcomes of a subtask, in the order in which they are stored."""
    return (row for path in parts for row in read_part(path, Outcome) if row.stratum == subtask)


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write a file line by line, whole or not at all.

    Returns:
        How many lines; without any there is no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, n_lines = path.with_name(f".{path.name}.{os.getpid()}"), 0
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            for line in lines:
                file.write(f"{line}\n")
                n_lines += 1
        if n_lines:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return n_lines


def file_name(name: str) -> str:
    """A name as one part of a path."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name).lstrip(".") or "_"
