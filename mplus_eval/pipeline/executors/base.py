"""What every executor offers: seats with workers, each at one shard at a time, and what they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard

Stage = Literal["plan", "loading", "asking", "taken over"]


@dataclass(frozen=True)
class Advanced:
    """So many more items of a shard are done, in so many seconds."""

    seat: Seat
    shard: Shard
    n_items: int
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A worker is done with a shard.

    Attributes:
        cause: why it failed; None where all of it is stored.
        stage: at which it failed: `plan`, where the worker's own plan has another cell of that name; `loading` of the
            model, which is then loaded for none of its shards; `taken over` by another machine; else `asking`.
    """

    seat: Seat
    shard: Shard
    cause: str | None = None
    stage: Stage = "asking"
    seconds: float = 0.0


@dataclass(frozen=True)
class Lost:
    """A worker is gone, with what it was at, if anything; another may sit in its place (`Executor.seats`)."""

    seat: Seat
    cause: str


Event = Advanced | Finished | Lost


class Executor(Protocol):
    """Workers that compute shards; where they are, and how they are spoken to, is all in which executors differ."""

    @property
    def seats(self) -> Sequence[Seat]:
        """Those with a worker that lives or is being started; without any, nothing more can be computed."""

    def start(self, seat: Seat, shard: Shard) -> None:
        """Give a shard to a worker that is at none."""

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened since; waits for so many seconds at most until something has.

        Raises:
            OSError: the disk is full; what is stored stays.
        """

    def close(self) -> None:
        """End all workers, whatever they are at; what is stored stays."""
