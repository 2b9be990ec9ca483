"""The executor of a Ray cluster: as many workers as its nodes have room for, each an actor that keeps its model loaded.

A worker that dies is named, and another is started in its place; a node that joins gets workers, and one that leaves
takes its own along. What a worker was at goes back to the schedule.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors.base import Event, Lost
from mplus_eval.pipeline.executors.cluster import connected, nodes, room, wants_gpus
from mplus_eval.pipeline.executors.expected import Expected
from mplus_eval.pipeline.executors.ray_told import Told
from mplus_eval.pipeline.executors.ray_worker import (
    Begun,
    Briefing,
    RayWorker,
    SharedFolder,
    cells_hash,
    shard_files,
    versions_here,
)
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.executors.worker import Loader
from mplus_eval.pipeline.plan import Plan
from mplus_eval.store.files import FULL_DISK, write_whole
from mplus_eval.store.run_directory import RunDirectory

MOST_DEATHS = 3
"""Of workers at one seat, without a shard that was finished in between, until the seat is given up."""
STARTED_WITHIN = 600.0
"""Seconds in which some worker must have made its plan."""
_OTHERS_WITHIN = 30.0
"""Seconds that the first worker waits for the others, by whose number work is cut."""
_LOOK = 5.0
"""Seconds between two looks at which nodes there are."""
_PASSED_ON = ("HF_HUB_OFFLINE",)
"""What of the driver's environment workers take over; what may be a secret is never sent."""

_NOT_PASSED_ON = {"executor": "local", "address": None, "storage": None, "log_to": ()}


@dataclass
class Place:
    """A seat, and the actor that sits there."""

    seat: Seat
    node: str
    actor: Any
    pending: Any
    """Ray's reference to what it was asked last; None where it is at nothing."""
    has_begun: bool = False
    shares: bool = False
    shard: Shard | None = None
    n_deaths: int = 0


class RayExecutor:
    """Workers on the nodes of a cluster."""

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        *,
        say: Callable[[str], None],
        load: Loader | None = None,
        shares: bool = True,
        most: int | None = None,
    ) -> None:
        """Connect, start the workers, and wait until they have made their plans.

        Args:
            plan: the driver's, with the cluster that was asked for in its spec.
            directory: where parts are stored, and which is locked.
            say: told of nodes that cannot take part.
            load: how a model is loaded, to be found by name on a node; the backends' own way when None.
            shares: whether workers may store in the directory itself where they see it.
            most: how many workers, where not as many as there is room for.

        Raises:
            UsageError: the cluster cannot be reached, or nobody there can compute this plan.
        """
        self._plan, self._directory, self._say = plan, directory, say
        self._load, self._most = load, most
        self._shared = SharedFolder.of(directory) if shares else None
        self._cells = cells_hash(plan.cells)
        self._model_bytes = max((_weights_bytes(model) for model in plan.models), default=0)
        self._places: dict[str, Place] = {}
        """By the seat's name."""
        self._refused: dict[str, str] = {}
        """Why nodes or seats get no worker any more, by their names."""
        self._looked = 0.0
        self._exit = ExitStack()
        self._exit.enter_context(connected(plan.spec.address))
        try:
            self._begin()
        except BaseException:  # also an interrupt: no worker may outlive this process
            self.close()
            raise

    @property
    def seats(self) -> Sequence[Seat]:
        """Those whose worker has made its plan; where there is none, those whose worker is being started."""
        begun = [place.seat for place in self._places.values() if place.has_begun]
        return begun or [place.seat for place in self._places.values()]

    def place(self, seat: Seat) -> Place:
        """The actor that sits at a seat."""
        return self._places[seat.name]

    def take(self, name: str, content: bytes) -> None:
        """Store a part that was sent, by its path in the run directory."""
        write_whole(self._directory.path / name, content)

    def start(self, seat: Seat, shard: Shard) -> None:
        """Give a worker a shard, with what is stored of it where it does not see that."""
        place = self._places[seat.name]
        place.shard = shard
        if place.has_begun:
            stored = {} if place.shares else dict(shard_files(self._directory, shard))
            place.pending = place.actor.work.remote(shard, stored)

    def events(self, seconds: float) -> Sequence[Event]:
        """What workers tell, and which of them died.

        Raises:
            OSError: a disk is full.
        """
        import ray

        events: list[Event] = self._look()
        pending = {place.pending: place for place in self._places.values() if place.pending is not None}
        if not pending:
            time.sleep(seconds)
            return events
        ray.wait(list(pending), timeout=0 if events else seconds)
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
        events += self._told_events()
        for reference in ready:
            events += self._ended(pending[reference])
        return events

    def close(self) -> None:
        """End all workers, whatever they are at, and the cluster where it was started for this run."""
        import ray

        closing = [place.actor.close.remote() for place in self._places.values() if place.pending is None]
        with suppress(ray.exceptions.RayError):
            ray.wait(closing, num_returns=len(closing), timeout=2.0) if closing else None
        for place in self._places.values():
            ray.kill(place.actor)
        self._places.clear()
        self._exit.close()

    def _begin(self) -> None:
        """Start what there is room for, and wait for the plans.

        Raises:
            UsageError: nobody can compute this plan.
        """
        import ray

        spec, every = self._plan.spec, nodes()
        needs = max((Expected({}).needs(model).devices for model in self._plan.models), default=1.0)
        self._gpus = 0.0
        if any(_wants_gpu(model) for model in self._plan.models):
            self._gpus = max(spec.gpus_per_model or 1.0, needs) if wants_gpus(every) else 0.0
            if spec.gpus_per_model and not self._gpus:
                raise UsageError(f"--gpus-per-model {spec.gpus_per_model:g}: no node of the cluster has a GPU")
        self._devices = max(self._gpus, needs, 1.0)
        self._told: Any = ray.remote(Told).options(num_cpus=0).remote()
        self._worker: Any = ray.remote(RayWorker)
        started, first = time.monotonic(), None
        while True:
            for event in self.events(1.0):
                if isinstance(event, Lost):
                    self._say(event.cause)
            waiting = [place for place in self._places.values() if not place.has_begun]
            now = time.monotonic()
            if len(waiting) < len(self._places):
                first = first or now
                if not waiting or now - first > _OTHERS_WITHIN:
                    return
            elif not self._places or now - started > STARTED_WITHIN:
                why = "; ".join(dict.fromkeys(self._refused.values())) or "no node has room for a worker"
                raise UsageError(f"--executor ray: no worker can begin: {why}")

    def _look(self) -> list[Event]:
        """Start workers where there is room for more, and take away those whose nodes are gone."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return []
        self._looked = now
        alive = {node.id: node for node in nodes()}
        gone = [place for place in self._places.values() if place.node not in alive and place.pending is None]
        for place in gone:
            del self._places[place.seat.name]
        for node in alive.values():
            n_seats = room(node, gpus=self._gpus, cpus=self._plan.spec.cpus_per_model, model_bytes=self._model_bytes)
            for number in range(1, n_seats + 1):
                seat = Seat(f"{node.name}, worker {number}", self._devices)
                is_refused = bool({seat.name, node.id} & set(self._refused))
                is_full = self._most is not None and len(self._places) >= self._most
                if seat.name not in self._places and not is_refused and not is_full:
                    self._places[seat.name] = self._sit(seat, node.id)
        return [Lost(place.seat, f"{place.seat.name}: the node is gone") for place in gone]

    def _sit(self, seat: Seat, node: str) -> Place:
        """Start an actor at a seat, and have it make its plan."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        cpus = self._plan.spec.cpus_per_model
        actor: Any = self._worker.options(
            num_gpus=self._gpus,
            num_cpus=0 if self._gpus else cpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        ).remote({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
        # A worker computes, and nobody else's business is its own.
        spec = self._plan.spec.model_copy(update=_NOT_PASSED_ON)
        briefing = Briefing(spec, seat, str(Path.cwd()), self._shared, self._cells, self._load)
        return Place(seat, node, actor, actor.begin.remote(versions_here(), pickle.dumps(briefing), self._told))

    def _ended(self, place: Place) -> list[Event]:
        """What became of what a worker was asked last."""
        import ray

        reference, place.pending = place.pending, None
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OSError) and error.cause.errno in FULL_DISK:
                raise OSError(error.cause.errno, error.cause.strerror) from None
            if place.has_begun:
                raise
            answer = Begun(f"{type(error.cause).__name__}: {' '.join(str(error.cause).split())[:300]}")
        except ray.exceptions.RayError as error:
            return [self._dead(place, error)]
        if isinstance(answer, Begun):
            return self._began(place, answer)
        finished, made = answer
        for name, content in (made or {}).items():
            self.take(name, content)
        place.shard, place.n_deaths = None, 0
        return [finished]

    def _began(self, place: Place, begun: Begun) -> list[Event]:
        """Give a worker that has its plan what it is to do; let go of one that cannot take part, and of its node."""
        import ray

        if begun.refusal is None:
            place.has_begun, place.shares = True, begun.shares
            if place.shard is not None:
                self.start(place.seat, place.shard)
            return []
        ray.kill(place.actor)
        del self._places[place.seat.name]
        cause = f"{place.seat.name.partition(',')[0]} takes no part: {begun.refusal}"
        is_known = place.node in self._refused
        self._refused[place.node] = cause
        return [] if is_known and place.shard is None else [Lost(place.seat, cause)]

    def _dead(self, place: Place, error: Exception) -> Lost:
        """Have another worker sit where one died; where that happens again and again, or the node is gone, nobody."""
        n_deaths, cause = place.n_deaths + 1, f"{place.seat.name}: {_how_it_ended(error)}"
        if not any(node.id == place.node for node in nodes()):
            del self._places[place.seat.name]
            return Lost(place.seat, f"{place.seat.name}: the node is gone")
        if n_deaths >= MOST_DEATHS:
            del self._places[place.seat.name]
            self._refused[place.seat.name] = cause
        else:
            self._places[place.seat.name] = self._sit(place.seat, place.node)
            self._places[place.seat.name].n_deaths = n_deaths
        return Lost(place.seat, cause)

    def _told_events(self) -> list[Event]:
        """How far workers are; nothing where whoever keeps it cannot be asked, since it is no more than that."""
        import ray

        try:
            return list(ray.get(self._told.take.remote(), timeout=1.0))
        except ray.exceptions.RayError:
            return []


def _wants_gpu(model: ResolvedModel) -> bool:
    """Whether a model is computed here, and not on the processor by its own key."""
    return model.location.path is not None and not (model.spec.device or "").startswith("cpu")


def _weights_bytes(model: ResolvedModel) -> int:
    """Of the files of a model that is computed here."""
    folder = model.location.path
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file()) if folder else 0


def _how_it_ended(error: Exception) -> str:
    """What became of a worker, in some words; Ray has a page on each."""
    import ray

    text = " ".join(str(error).split())
    if isinstance(error, ray.exceptions.OutOfMemoryError) or "low on memory" in text:
        return "its process was killed, for the node was low on memory"
    if "No module named 'mplus_eval'" in text:
        return "mplus-eval is not installed there"
    if isinstance(error, ray.exceptions.ActorDiedError) and "creation task" in text:
        return f"it could not be started ({text[-200:]})"
    return "its process died"
