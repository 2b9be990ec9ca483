"""What a run directory holds of a plan's cells: which parts there are, how long they took, on what model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mplus_eval.models.cells import Cell, Part
from mplus_eval.servers.usage import Spent
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_part
from mplus_eval.store.run_directory import RunDirectory


def stored_parts(cell: Cell, directory: RunDirectory) -> Iterator[PartInfo | None]:
    """What each part of a cell's answers says of itself; None where it is not stored, or not of this plan."""
    for part in cell.parts:
        yield stored_part(cell, part, directory)


def stored_part(cell: Cell, part: Part, directory: RunDirectory) -> PartInfo | None:
    """The same of one part."""
    return fresh(part_path(directory.answers(*cell.key), part.index), cell.fingerprint, len(cell.parts))


def missing_parts(
    cell: Cell, directory: RunDirectory, number: int, indexes: Collection[int] | None = None
) -> list[Part]:
    """What of a cell, up to a round, is still to be asked.

    Parts that are not stored, or not of this plan; and of a part in which items failed for a reason outside the model,
    such as a server that was gone, these items.

    Args:
        cell: the cell.
        directory: where it is stored.
        number: the round.
        indexes: the parts that are looked at; all of the cell's when None.
    """
    missing = []
    for part in cell.parts:
        if part.round > number or (indexes is not None and part.index not in indexes):
            continue
        info = stored_part(cell, part, directory)
        if info is None:
            missing.append(part)
        elif info.n_outside:
            failed = failed_outside(part, read_part(part_path(directory.answers(*cell.key), part.index), Answer))
            missing.append(replace(part, items=failed))
    return missing


def failed_outside(part: Part, answers: Sequence[Answer]) -> tuple[int, ...]:
    """The numbers of the items that failed for a reason outside the model."""
    failed = {each.item_id for each in answers if each.failed_outside}
    return tuple(number for item_id, number in _numbers(part, answers).items() if item_id in failed)


def merged(part: Part, stored: Sequence[Answer], asked: Sequence[Answer]) -> list[Answer]:
    """The answers of a part of which some items were asked again, in the order of its items."""
    again = {each.item_id for each in asked}
    kept = [each for each in stored if each.item_id not in again]
    places = {item_id: place for place, item_id in enumerate(_numbers(part, stored))}
    return sorted([*kept, *asked], key=lambda each: (places[each.item_id], each.sample))


def _numbers(part: Part, answers: Sequence[Answer]) -> dict[str, int]:
    """The number of each item by its name: the first answers to items stand in the items' order."""
    return dict(zip(dict.fromkeys(each.item_id for each in answers), part.items, strict=True))


def spent(cells: Iterable[Cell], directory: RunDirectory) -> Spent | None:
    """What asking a server took for cells, over all runs; None where none was asked."""
    told = [Spent(**info.spent) for cell in cells for info in stored_parts(cell, directory) if info and info.spent]
    return sum(told, Spent()) if told else None


def model_facts(cells: Iterable[Cell], directory: RunDirectory) -> dict[str, Any]:
    """What was noted of a model when it was loaded (the fields of `LoadedModel`); empty when it never was."""
    return next((info.model for cell in cells for info in stored_parts(cell, directory) if info), {})
