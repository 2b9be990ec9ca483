"""What the workers of a cluster tell, kept until the driver asks for it: an actor of Ray.

A module of its own, since its process imports no more than this: with a worker's imports it took four seconds to start.
"""

from __future__ import annotations

from mplus_eval.pipeline.executors.base import Advanced


class Told:
    """Keeps events."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._events: list[Advanced] = []

    def add(self, event: Advanced) -> None:
        """Keep one."""
        self._events.append(event)

    def take(self) -> list[Advanced]:
        """What was kept since."""
        events, self._events = self._events, []
        return events
