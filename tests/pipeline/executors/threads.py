"""Several workers in one process, each a thread with a plan of its own: an executor for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue

from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors.base import Event
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.executors.worker import Loader, Worker
from mplus_eval.pipeline.plan import Plan
from mplus_eval.store.run_directory import RunDirectory


class Threads:
    """Workers that compute at the same time."""

    def __init__(self, plan: Callable[[], Plan], directory: RunDirectory, load: Loader, n_workers: int = 3) -> None:
        """Take how a plan is made, anew for each worker, and how a model is loaded."""
        self.seats: Sequence[Seat] = [Seat(f"worker {number}") for number in range(1, n_workers + 1)]
        self.loads: list[tuple[str, str]] = []
        self.shards: list[Shard] = []
        self._told: SimpleQueue[Event] = SimpleQueue()
        self._pool = ThreadPoolExecutor(n_workers)
        self._futures: set[Future[Event]] = set()
        self._workers = {seat: self._worker(seat, plan(), directory, load) for seat in self.seats}

    def _worker(self, seat: Seat, plan: Plan, directory: RunDirectory, load: Loader) -> Worker:
        def noted(model: ResolvedModel):  # type: ignore[no-untyped-def]
            self.loads.append((seat.name, model.spec.name))
            return load(model)

        return Worker(plan, directory, seat=seat, tell=self._told.put, load=noted)

    def start(self, seat: Seat, shard: Shard) -> None:
        """Begin with a shard."""
        self.shards.append(shard)
        self._futures.add(self._pool.submit(self._workers[seat].work, shard))

    def events(self, seconds: float) -> list[Event]:
        """What was told, and who is done."""
        done, self._futures = wait(self._futures, seconds, FIRST_COMPLETED)
        told: list[Event] = []
        while True:
            try:
                told.append(self._told.get_nowait())
            except Empty:
                return [*told, *(future.result() for future in done)]

    def close(self) -> None:
        """End all threads."""
        self._pool.shutdown()
        for worker in self._workers.values():
            worker.close()
