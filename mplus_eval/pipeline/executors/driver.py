"""The driver: has an executor's workers compute what is in the schedule, and takes note of what becomes of it.

A shard of a worker that was lost is given to another, a few times. Where several machines share the directory, a shard
is claimed before it is given out, and those that others claimed are waited for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from mplus_eval.pipeline.executors.base import Advanced, Event, Executor, Finished, Lost
from mplus_eval.pipeline.executors.claims import Claims, name_of
from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.work import Shard

MOST_LOST = 3
"""Workers that may be lost at one shard before its cell fails."""
_PATIENCE = 1.0
"""Seconds that events are waited for before it is looked again what could be done."""


class Listener(Protocol):
    """Who is told what becomes of shards."""

    def begun(self, shard: Shard) -> None:
        """A worker of this machine begins with a shard."""

    def advanced(self, event: Advanced) -> None:
        """Some items of a shard are done."""

    def stored(self, shard: Shard, *, elsewhere: bool) -> None:
        """All of a shard is stored; by another machine where `elsewhere`."""

    def is_stored(self, shard: Shard) -> bool:
        """Whether another machine has stored all of a shard."""

    def failed(self, shards: Sequence[Shard], cause: str) -> None:
        """Shards failed, and so do their cells, of which nothing more is to be computed."""

    def say(self, sentence: str) -> None:
        """Something that a user wants to know."""


class Driver:
    """Gives shards to workers until nothing is left."""

    def __init__(self, executor: Executor, schedule: Schedule, listener: Listener, claims: Claims | None) -> None:
        """Take who computes, what, who is told, and the claims where several machines share the work."""
        self._executor, self._schedule, self._listener, self._claims = executor, schedule, listener, claims
        self._busy: dict[Seat, Shard] = {}
        self._n_lost: dict[Shard, int] = {}
        self._last_loss = ""
        self._loaded: set[str] = set()
        """Models that some worker could load."""
        self._refusals: dict[str, str] = {}
        """Why others could not."""
        self._known: dict[str, Shard] = {}
        """All shards that were added, by the names of their leases."""
        self._elsewhere: dict[str, Shard] = {}
        """Those that other machines hold."""
        self._settled: set[str] = set()
        """Names of leases that were given back and looked at."""

    def add(self, shards: Iterable[Shard]) -> None:
        """Have more computed."""
        added = list(shards)
        self._schedule.add(added)
        if self._claims is not None:
            self._known |= {name_of(shard): shard for shard in added}

    def drop(self, cell: tuple[str, str]) -> None:
        """Have nothing more of a cell computed."""
        self._schedule.drop(cell=cell)
        self._elsewhere = {name: shard for name, shard in self._elsewhere.items() if shard.cell != cell}

    def run(self) -> None:
        """Go on until nothing is left."""
        while not (self._schedule.is_done and not self._elsewhere):
            idle = [seat for seat in self._executor.seats if seat not in self._busy]
            if idle and self._claims is not None:
                self._look_around(self._claims)
            for seat in idle:
                self._give(seat)
            if not self._busy and not self._elsewhere:
                self._fail_left()
                return
            for event in self._executor.events(_PATIENCE if self._claims is None else self._claims.pause):
                self._hear(event)

    def _give(self, seat: Seat) -> None:
        """Give the next shard to an idle worker, should there be one that nobody else has."""
        while (shard := self._schedule.next(seat, time.monotonic())) is not None:
            if self._claims is None or self._claimed(self._claims, seat, shard):
                self._busy[seat] = shard
                self._listener.begun(shard)
                self._executor.start(seat, shard)
                return

    def _claimed(self, claims: Claims, seat: Seat, shard: Shard) -> bool:
        """Claim a shard; what cannot be is another's, unless its cell has failed there."""
        cause = claims.failure(shard.cell)
        if cause is None and claims.claim(shard):
            return True
        self._schedule.undo(seat.name)
        if cause is None:
            self._elsewhere[name_of(shard)] = shard
            self._note_others()
        else:
            self._listener.failed([shard], cause)
        return False

    def _look_around(self, claims: Claims) -> None:
        """See what other machines hold, and what became of that which they do not any more."""
        held, free = claims.look()
        self._settled -= held
        for name in (held | free) - self._settled - self._elsewhere.keys():
            if (shard := self._known.get(name)) is not None and self._schedule.take_out(shard):
                self._elsewhere[name] = shard
        for name in self._elsewhere.keys() - held:
            if (shard := self._elsewhere.pop(name, None)) is not None:
                self._settled.add(name)
                self._settle(claims, shard)
        self._note_others()

    def _note_others(self) -> None:
        """Note at which models others are, so that workers here take other ones first."""
        self._schedule.note_others(Counter(shard.model for shard in self._elsewhere.values()))

    def _settle(self, claims: Claims, shard: Shard) -> None:
        """Take note of a shard that another machine gave back, or was lost at."""
        if (cause := claims.failure(shard.cell)) is not None:
            self._listener.failed([shard], cause)
        elif self._listener.is_stored(shard):
            self._listener.stored(shard, elsewhere=True)
        else:
            self._schedule.add([shard])

    def _hear(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self._listener.advanced(event)
            return
        shard = self._busy.pop(event.seat, None)
        if isinstance(event, Lost):
            self._lost(event, shard)
        elif shard is not None:
            self._finished(event, shard)
        if shard is not None and self._claims is not None:
            self._claims.release(shard)

    def _finished(self, event: Finished, shard: Shard) -> None:
        """Take note of a shard that is done, or why its cell, or all of its model's, failed."""
        if event.stage == "loading" and shard.model in self._loaded:
            # Others could load it, so it is the worker's place that lacks something.
            self._schedule.give_back(event.seat.name, barred=True)
            self._refusals[shard.model] = event.cause or ""
            self._listener.say(f"{event.seat.name} is given no more of {shard.model}: {event.cause}")
            return
        self._schedule.finished(event.seat.name)
        if event.stage == "taken over":
            self._elsewhere[name_of(shard)] = shard
        elif event.stage == "loading":
            self._listener.failed([shard, *self._schedule.drop(model=shard.model)], event.cause or "")
        elif event.cause is not None:
            self._listener.failed([shard], event.cause)
        else:
            self._loaded.add(shard.model)
            self._listener.stored(shard, elsewhere=False)

    def _lost(self, event: Lost, shard: Shard | None) -> None:
        """Give what a lost worker was at to another, a few times."""
        self._schedule.give_back(event.seat.name)
        self._last_loss = event.cause
        if shard is None:
            self._listener.say(event.cause)
            return
        self._n_lost[shard] = self._n_lost.get(shard, 0) + 1
        if self._n_lost[shard] < MOST_LOST:
            self._listener.say(f"{event.cause}, at {shard.name}, which is given to another")
        else:
            self._listener.failed([shard], f"{event.cause}; {MOST_LOST} workers were lost at {shard.name}")

    def _fail_left(self) -> None:
        """Fail whatever nobody can compute."""
        nobody = "no worker has enough devices"
        if not self._executor.seats:
            nobody = f"no worker is left: {self._last_loss}" if self._last_loss else "no worker is left"
        for shard in self._schedule.drop():
            self._listener.failed([shard], self._refusals.get(shard.model, nobody))
