"""What a run directory holds of a plan's cells: which parts are missing, how long the others took, on what model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mplus_eval.models.cells import Cell, Part
from mplus_eval.store.parts import PartInfo, fresh, part_path
from mplus_eval.store.run_directory import RunDirectory


def missing_parts(cell: Cell, directory: RunDirectory) -> list[Part]:
    """The parts of a cell's answers that are not stored yet."""
    return [part for part in cell.parts if stored_part(cell, part, directory) is None]


def model_facts(cells: Iterable[Cell], directory: RunDirectory) -> dict[str, Any]:
    """What was noted of a model when it was loaded (the fields of `LoadedModel`); empty when it never was."""
    return next((info.model for cell in cells for info in _stored(cell, directory)), {})


def cell_seconds(cell: Cell, directory: RunDirectory) -> float:
    """How long the stored parts of a cell took to answer, in seconds."""
    return sum(info.seconds for info in _stored(cell, directory))


def stored_part(cell: Cell, part: Part, directory: RunDirectory) -> PartInfo | None:
    """What a part of a cell's answers says of itself; None where it is not stored, or not of this plan."""
    return fresh(part_path(directory.answers(*cell.key), part.index), cell.fingerprint, len(cell.parts))


def _stored(cell: Cell, directory: RunDirectory) -> Iterator[PartInfo]:
    for part in cell.parts:
        if info := stored_part(cell, part, directory):
            yield info
