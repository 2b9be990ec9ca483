"""The default executor: one worker, in this very process."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mplus_eval.pipeline.executors.base import Event
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.executors.worker import Worker


class Here:
    """Computes a shard when its events are asked for; items are told as they are done (`Worker`'s `tell`)."""

    def __init__(self, seat: Seat, worker: Worker) -> None:
        """Take the worker, which knows this seat."""
        self.seats: Sequence[Seat] = (seat,)
        self._worker = worker
        self._shard: Shard | None = None

    def start(self, seat: Seat, shard: Shard) -> None:
        """Note what is to be done."""
        self._shard = shard

    def events(self, seconds: float) -> Sequence[Event]:
        """Do it; where there is nothing to do, wait."""
        shard, self._shard = self._shard, None
        if shard is None:
            time.sleep(seconds)
            return []
        return [self._worker.work(shard)]

    def close(self) -> None:
        """Give back the model."""
        self._worker.close()
