"""What a run directory holds of a plan's cells: which parts there are, how long they took, on what model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mplus_eval.models.cells import Cell, Part
from mplus_eval.store.parts import PartInfo, fresh, part_path
from mplus_eval.store.run_directory import RunDirectory


def stored_parts(cell: Cell, directory: RunDirectory) -> Iterator[PartInfo | None]:
    """What each part of a cell's answers says of itself; None where it is not stored, or not of this plan."""
    for part in cell.parts:
        yield fresh(part_path(directory.answers(*cell.key), part.index), cell.fingerprint, len(cell.parts))


def missing_parts(cell: Cell, directory: RunDirectory, number: int) -> list[Part]:
    """The parts of a cell, up to a round, that are not stored, or not of this plan."""
    return [
        part
        for part in cell.parts
        if part.round <= number
        and not fresh(part_path(directory.answers(*cell.key), part.index), cell.fingerprint, len(cell.parts))
    ]


def model_facts(cells: Iterable[Cell], directory: RunDirectory) -> dict[str, Any]:
    """What was noted of a model when it was loaded (the fields of `LoadedModel`); empty when it never was."""
    return next((info.model for cell in cells for info in stored_parts(cell, directory) if info), {})
