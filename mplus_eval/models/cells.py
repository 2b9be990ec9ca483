"""Cells: one model on one task, prompt set or set of dialogues; the unit of resuming, caching and distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.store.hashes import hash_components


@dataclass(frozen=True)
class Part:
    """A slice of one subtask's items, stored as one file; a set of prompts or dialogues is its own subtask.

    Attributes:
        items: their numbers in the data, rising.
        round: in which they are asked; all in the first, unless asking stops once verdicts are settled.
    """

    index: int
    subtask: str
    items: Sequence[int]
    round: int = 0


@dataclass(frozen=True)
class Cell:
    """One model on one task, in words and numbers alone.

    Attributes:
        axis: the wing that knows how to ask it.
        task: the name in the report and on disk.
        kind: of the task, since items of a kind take about the same time.
        components: what its fingerprint is made of, kept so that a conflict has a reason.
        sources: hashes of the files that its items were read from, by name, so that a conflict names the file.
        refused: why it is not evaluated at all; empty where it is.
    """

    axis: str
    model: ResolvedModel
    task: str
    kind: str
    components: Mapping[str, str]
    parts: tuple[Part, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    @property
    def n_items(self) -> int:
        """How many items the cell has."""
        return sum(len(part.items) for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """One hash over all components."""
        return hash_components(self.components)

    @property
    def key(self) -> tuple[str, str]:
        """The names of model and task: where the cell lies in a run directory."""
        return self.model.spec.name, self.task

    @property
    def name(self) -> str:
        """The cell in messages: `model × task`."""
        return f"{self.model.spec.name} × {self.task}"


def evenly_spread(parts: Sequence[Part], most: int) -> list[Part]:
    """So many of some parts at most, from the first to the last."""
    if len(parts) <= most:
        return list(parts)
    return [parts[place * (len(parts) - 1) // max(most - 1, 1)] for place in range(most)]


def slices(n_items: int, size: int) -> list[range]:
    """Items cut into slices of a size, the last one perhaps shorter."""
    return [range(first, min(first + size, n_items)) for first in range(0, n_items, size)]
