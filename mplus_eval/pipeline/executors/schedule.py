"""Which shard an idle worker takes next: pure bookkeeping, without clocks, processes or files.

A model is loaded as seldom as can be, and the longest work is started first:

1. A worker goes on with the model that it has loaded, its longest shard first.
2. Otherwise it loads a model that nobody is at, the one with the most work left.
3. Otherwise it helps with the model on which most is left for each worker, where it would be done before those who are
   at it came to that shard; else it has nothing to do.

Loads are paid once a model until models run out, and only then by those who help. So the makespan is at most the lower
bound (all work and one load a model, over all workers) and about a load and a shard.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from mplus_eval.pipeline.executors.work import Needs, Shard

_Queued = tuple[float, int, Shard]
"""Seconds, minus the order in which it came, and the shard: the last of a sorted list is taken first."""


@dataclass(frozen=True)
class Seat:
    """A place where a worker sits.

    Attributes:
        name: as messages have it, such as `device 0`.
        devices: how many it has; a model that needs more is not given to it.
    """

    name: str
    devices: float = 1.0


@dataclass
class _Taken:
    shard: Shard
    since: float
    before: str | None
    """The model that the worker had loaded before."""


@dataclass
class _Queue:
    """What is left of one model, and who is at it."""

    name: str
    needs: Needs
    place: int
    shards: list[_Queued] = field(default_factory=list)
    left: float = 0.0
    workers: set[str] = field(default_factory=set)
    n_others: int = 0
    """Workers of other machines that are at it."""

    @property
    def n_workers(self) -> int:
        return len(self.workers) + self.n_others

    @property
    def is_full(self) -> bool:
        most = self.needs.most_workers
        return most is not None and self.n_workers >= most

    def put(self, queued: _Queued) -> None:
        insort(self.shards, queued)
        self.left += queued[0]

    def take(self, place: int = -1) -> Shard:
        seconds, _, shard = self.shards.pop(place)
        self.left -= seconds
        return shard

    def drop(self, unwanted: Callable[[Shard], bool]) -> list[Shard]:
        """Take out what is not wanted any more."""
        dropped = [shard for _, _, shard in self.shards if unwanted(shard)]
        self.shards = [queued for queued in self.shards if not unwanted(queued[2])]
        self.left = sum(seconds for seconds, _, _ in self.shards)
        return dropped


class Schedule:
    """The shards that are to be computed, and who computes which."""

    def __init__(self, needs: Mapping[str, Needs], *, in_order: bool = False) -> None:
        """Take what every model asks of a worker, by name.

        Args:
            needs: the models, in the order in which they are asked.
            in_order: whether models and shards are taken in the order in which they came; so a single worker does.
        """
        self._queues = {name: _Queue(name, each, place) for place, (name, each) in enumerate(needs.items())}
        self._in_order = in_order
        self._waiting: dict[float, list[tuple[float, int, str]]] = {}
        """Models by the devices that they need: heaps, of which entries that are not true any more are passed over."""
        self._started: set[str] = set()
        """Models that somebody is at and of which shards are left."""
        self._loaded: dict[str, str] = {}
        """The model of each worker."""
        self._taken: dict[str, _Taken] = {}
        """What each worker is at."""
        self._barred: set[tuple[str, str]] = set()
        """Workers and models that they could not load."""
        self._asked_of: dict[tuple[str, str], set[str]] = {}
        """The models that are asked for each cell's sake."""
        self._n_put = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left and nobody is at anything."""
        return not self._taken and not any(queue.shards for queue in self._queues.values())

    @property
    def left(self) -> list[Shard]:
        """What nobody is at yet."""
        return [shard for queue in self._queues.values() for _, _, shard in queue.shards]

    def add(self, shards: Iterable[Shard]) -> None:
        """Put shards into the queues."""
        touched = set()
        for shard in shards:
            self._n_put += 1
            self._queues[shard.model].put((0.0 if self._in_order else shard.seconds, -self._n_put, shard))
            self._asked_of.setdefault(shard.cell, set()).add(shard.model)
            touched.add(shard.model)
        for model in touched:
            self._offer(self._queues[model])

    def next(self, seat: Seat, now: float = 0.0) -> Shard | None:
        """What an idle worker is to do next; None where there is nothing, or nothing that would be done sooner by it.

        Args:
            seat: where it sits.
            now: seconds, of any clock that never goes backwards.
        """
        own = self._queues.get(self._loaded.get(seat.name, ""))
        if own is not None and own.shards:
            return self._give(seat, own, -1, now, own.name)
        queue, place = self._unstarted(seat), -1
        if queue is None:
            queue, place = self._to_help(seat, now)
        if queue is None:
            return None
        self._move(seat.name, queue.name)
        return self._give(seat, queue, place, now, own.name if own is not None else None)

    def finished(self, worker: str) -> None:
        """Note that a worker is done with its shard, however it ended."""
        self._taken.pop(worker, None)

    def give_back(self, worker: str, *, barred: bool = False) -> Shard | None:
        """Put back what a worker was at, who has nothing loaded any more: it is lost, or could not load the model.

        Args:
            worker: its name.
            barred: whether it is given no shard of this model again.
        """
        taken = self._taken.pop(worker, None)
        model = self._loaded.get(worker)
        self._move(worker, None)
        if model is not None:
            if barred:
                self._barred.add((worker, model))
            self._offer(self._queues[model])
        if taken is None:
            return None
        self.add([taken.shard])
        return taken.shard

    def drop(self, *, model: str | None = None, cell: tuple[str, str] | None = None) -> list[Shard]:
        """Take out, and return, what is left of a model, or of a cell."""
        models = self._queues if cell is None else self._asked_of.get(cell, ())
        queues = [self._queues[name] for name in models if model in (None, name)]
        return [shard for queue in queues for shard in queue.drop(lambda shard: cell is None or shard.cell == cell)]

    def take_out(self, shard: Shard) -> bool:
        """Take out a shard that another machine computes; false where it is not waiting here."""
        dropped = self._queues[shard.model].drop(lambda each: each is shard)
        return bool(dropped)

    def undo(self, worker: str) -> Shard:
        """Take a shard back, and out, that was just given to a worker and could not be claimed."""
        taken = self._taken.pop(worker)
        self._move(worker, taken.before)
        self._offer(self._queues[taken.shard.model])
        return taken.shard

    def note_others(self, n_others: Mapping[str, int]) -> None:
        """Note how many workers of other machines are at each model; at those not named there are none."""
        for name, queue in self._queues.items():
            if queue.n_others != (n_now := n_others.get(name, 0)):
                queue.n_others = n_now
                self._offer(queue)

    def _move(self, worker: str, model: str | None) -> None:
        """Note that a worker has another model loaded, or none."""
        if (before := self._loaded.pop(worker, None)) is not None:
            self._queues[before].workers.discard(worker)
        if model is not None:
            self._loaded[worker] = model
            self._queues[model].workers.add(worker)

    def _give(self, seat: Seat, queue: _Queue, place: int, now: float, before: str | None) -> Shard:
        shard = queue.take(place)
        self._taken[seat.name] = _Taken(shard, now, before)
        (self._started.add if queue.shards else self._started.discard)(queue.name)
        return shard

    def _offer(self, queue: _Queue) -> None:
        """Enter a model among those that wait for somebody, or that others may help with."""
        if not queue.shards:
            return
        if queue.n_workers:
            self._started.add(queue.name)
            return
        self._started.discard(queue.name)
        size = 0.0 if self._in_order else -(queue.needs.loading + queue.left)
        heappush(self._waiting.setdefault(queue.needs.devices, []), (size, queue.place, queue.name))

    def _unstarted(self, seat: Seat) -> _Queue | None:
        """The model with the most work that nobody is at; of several sizes first the largest that the worker can hold.

        A worker with several devices leaves the small models to others while there are large ones.
        """
        for devices in sorted((size for size in self._waiting if size <= seat.devices), reverse=True):
            heap, passed = self._waiting[devices], []
            found = None
            while heap and found is None:
                entry = heappop(heap)
                queue = self._queues[entry[2]]
                if not queue.shards or queue.n_workers:
                    continue
                if (seat.name, queue.name) in self._barred:
                    passed.append(entry)
                    continue
                found = queue
            for entry in passed:
                heappush(heap, entry)
            if found is not None:
                return found
        return None

    def _to_help(self, seat: Seat, now: float) -> tuple[_Queue | None, int]:
        """The model on which most is left for each worker, and a shard of it that pays its load."""
        candidates = []
        for name in self._started:
            queue = self._queues[name]
            if queue.is_full or queue.needs.devices > seat.devices or (seat.name, name) in self._barred:
                continue
            candidates.append((self._until_done(queue, now), -queue.place, queue))
        for seconds, _, queue in sorted(candidates, key=lambda each: each[:2], reverse=True):
            for place in range(len(queue.shards) - 1, -1, -1):
                if queue.needs.loading + queue.shards[place][0] < seconds:
                    return queue, place
        return None, -1

    def _until_done(self, queue: _Queue, now: float) -> float:
        """Seconds until those who are at a model are done with it, if nobody helps."""
        under_way = 0.0
        for worker in queue.workers:
            if (taken := self._taken.get(worker)) is not None:
                under_way += max(0.0, taken.since + taken.shard.seconds - now)
        return (queue.left + under_way) / max(queue.n_workers, 1)
