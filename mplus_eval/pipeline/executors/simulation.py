"""How long shards would take on workers, by the very schedule that gives them out: for estimates and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.work import Needs, Shard


@dataclass(frozen=True)
class Simulated:
    """What came of a simulated schedule.

    Attributes:
        makespan: seconds until the last shard is done.
        n_loads: how often a model was loaded.
        lost: seconds of work that was under way when its worker was lost.
        n_left: shards that no worker could take.
    """

    makespan: float
    n_loads: int
    lost: float
    n_left: int


def simulate(
    shards: Iterable[Shard],
    needs: Mapping[str, Needs],
    seats: Sequence[Seat],
    failures: Sequence[tuple[float, Seat]] = (),
    repair: float = 0.0,
) -> Simulated:
    """Give shards out to workers, in simulated time.

    Args:
        shards: with the seconds that each takes.
        needs: what every model asks of a worker.
        seats: where workers sit.
        failures: when the worker of a seat is lost; what it was at goes back, and its model is loaded no more.
        repair: seconds until another sits in its place.
    """
    simulation = _Simulation(needs, seats, repair)
    simulation.schedule.add(shards)
    for at, seat in failures:
        simulation.plan(at, "lost", seat)
    return simulation.run()


def lower_bound(shards: Sequence[Shard], needs: Mapping[str, Needs], n_workers: int) -> float:
    """Seconds that no schedule can be below: all work and a load a model, evenly spread; or the longest shard."""
    loading = sum(needs[model].loading for model in {shard.model for shard in shards})
    longest = max((shard.seconds + needs[shard.model].loading for shard in shards), default=0.0)
    return max((sum(shard.seconds for shard in shards) + loading) / n_workers, longest)


class _Simulation:
    """The state of all workers at a moment; what comes next lies in a heap, by its time."""

    def __init__(self, needs: Mapping[str, Needs], seats: Sequence[Seat], repair: float) -> None:
        self.schedule = Schedule(needs, in_order=len(seats) == 1)
        self.needs, self.repair = needs, repair
        self.idle = list(seats)
        self.begun: dict[Seat, tuple[float, int]] = {}
        """When a worker began what it is at, and which of all shards that were given out this was."""
        self.loaded: dict[Seat, str] = {}
        self.ahead: list[tuple[float, int, str, Seat]] = []
        self.now = self.makespan = self.lost = 0.0
        self.n_planned = self.n_loads = 0

    def plan(self, at: float, what: str, seat: Seat) -> int:
        """Note what will happen; return its number."""
        self.n_planned += 1
        heappush(self.ahead, (at, self.n_planned, what, seat))
        return self.n_planned

    def run(self) -> Simulated:
        """Go from event to event until nothing is left to do."""
        self._give_out()
        while self.ahead and not self.schedule.is_done:
            self.now, number, what, seat = heappop(self.ahead)
            if what == "done":
                self._done(seat, number)
            elif what == "lost":
                self._lose(seat)
            else:
                self.idle.append(seat)
            self._give_out()
        return Simulated(self.makespan, self.n_loads, self.lost, len(self.schedule.left))

    def _give_out(self) -> None:
        idle, self.idle = self.idle, []
        for seat in idle:
            shard = self.schedule.next(seat, self.now)
            if shard is None:
                self.idle.append(seat)
                continue
            loads = self.loaded.get(seat) != shard.model
            self.loaded[seat] = shard.model
            self.n_loads += loads
            takes = shard.seconds + (self.needs[shard.model].loading if loads else 0.0)
            self.begun[seat] = self.now, self.plan(self.now + takes, "done", seat)

    def _done(self, seat: Seat, number: int) -> None:
        # Not what was lost before it was done.
        if self.begun.get(seat, (0.0, 0))[1] == number:
            del self.begun[seat]
            self.schedule.finished(seat.name)
            self.idle.append(seat)
            self.makespan = self.now

    def _lose(self, seat: Seat) -> None:
        if seat in self.begun:
            self.lost += self.now - self.begun.pop(seat)[0]
        elif seat in self.idle:
            self.idle.remove(seat)
        else:
            return  # It is being repaired.
        self.schedule.give_back(seat.name)
        self.loaded.pop(seat, None)
        self.plan(self.now + self.repair, "back", seat)
