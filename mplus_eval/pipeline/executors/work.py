"""What is computed: shards, each some parts of one cell, the unit that a worker takes.

Parts are the unit of storage and of resuming, so a shard begins and ends with one; what is lost with a worker is the
part that it was at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import inf

from mplus_eval.models.cells import Cell, Part

WORKERS_SHARE = 8
"""Shards that a worker should find of an even share of the work at least, so that all end at about the same time."""
CHUNK = 4
"""Parts of a shard, where machines share a directory, or where the baseline is asked about them."""
SHORTEST = 10.0
"""Seconds below which a cell is not cut, since each shard has its requests built anew."""


@dataclass(frozen=True)
class Shard:
    """Some parts of one cell, to be computed by one worker in one go.

    Words and numbers alone, so that it can be sent anywhere; the worker finds the rest in a plan of its own.

    Attributes:
        model: the name of the model that is asked, and so has to be loaded.
        cell: names of model and task; of another model, where the baseline is asked about its answers.
        fingerprint: of the cell; a worker that has another refuses the shard.
        parts: their places among the cell's parts.
        n_parts: how many the cell has; a worker that cuts it otherwise refuses the shard too.
        follow_up: what the baseline is asked about another model's answers, for the cause of a failure; empty where the
            cell's own model is asked for answers.
        round: up to which the cell is asked.
        seconds: that it is expected to take.
        components: what the fingerprint is made of, so that a refusal has a reason.
    """

    model: str
    cell: tuple[str, str]
    fingerprint: str
    parts: tuple[int, ...]
    n_parts: int = 0
    follow_up: str = ""
    round: int = 0
    seconds: float = 0.0
    components: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The shard in messages: `plus × mmlu, parts 3 to 7`."""
        cell, first, last = " × ".join(self.cell), self.parts[0], self.parts[-1]
        return f"{cell}, part {first}" if first == last else f"{cell}, parts {first} to {last}"


@dataclass(frozen=True)
class Needs:
    """What a model asks of a worker.

    Attributes:
        loading: seconds until it can be asked.
        devices: how many it fills; below 1, how much of one.
        most_workers: that may ask it at the same time; as many as there are when None.
    """

    loading: float = 0.0
    devices: float = 1.0
    most_workers: int | None = None


def of_cell(cell: Cell, parts: tuple[int, ...], *, number: int = 0, seconds: float = 0.0) -> Shard:
    """Some parts of a cell, that its own model is asked."""
    made_of = cell.fingerprint, parts, len(cell.parts)
    return Shard(cell.model.spec.name, cell.key, *made_of, round=number, seconds=seconds, components=cell.components)


def cut(cell: Cell, parts: Sequence[Part], seconds: float, longest: float = inf, *, number: int = 0) -> Iterator[Shard]:
    """Cut what is missing of a cell into shards.

    Args:
        cell: the cell.
        parts: of it, that are to be asked.
        seconds: that all of them are expected to take.
        longest: seconds of a shard, about, where a part does not take longer.
        number: the round that is asked.
    """
    n_items = sum(len(part.items) for part in parts)
    taken: list[Part] = []
    for part in parts:
        taken.append(part)
        share = seconds * sum(len(each.items) for each in taken) / max(n_items, 1)
        if share >= longest or part is parts[-1]:
            indexes = tuple(each.index for each in taken)
            yield of_cell(cell, indexes, number=number, seconds=share)
            taken = []


def chunks(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts of a cell in chunks that are the same on every machine, whatever is stored and however long it takes.

    A chunk is of one round, which is asked whole before the next.
    """
    for _, of_round in groupby(parts, key=lambda part: part.round):
        whole = list(of_round)
        for first in range(0, len(whole), CHUNK):
            yield whole[first : first + CHUNK]


def longest_shard(seconds: float, n_workers: int) -> float:
    """How many seconds a shard should take at most, where so many workers share so many seconds of work.

    >>> longest_shard(6400, 8), longest_shard(100, 8), longest_shard(6400, 1)
    (100.0, 10.0, inf)
    """
    return inf if n_workers == 1 else max(seconds / (n_workers * WORKERS_SHARE), SHORTEST)
