"""How many requests are under way at the same time: more while a server keeps up, half as many when it does not.

Additive increase and multiplicative decrease, as TCP has it: whatever a server bears, clients that share it come to
fair shares of it. Several refusals of requests that were sent together are one sign, not several.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

FIRST = 8
"""Requests under way at the beginning."""
_JITTER_SECONDS = 0.1  # so that those who waited together do not come together


class Gate:
    """Lets so many requests through as the server bears, and none while it asks to be left alone."""

    def __init__(
        self, most: int, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Begin with `FIRST` requests.

        Args:
            most: requests that may ever be under way.
            clock: seconds, rising.
            sleep: waits so many seconds.
        """
        self.most = most
        self.limit = float(min(FIRST, most))
        self._clock, self._sleep = clock, sleep
        self._n_under_way = 0
        self._closed_until = 0.0
        self._halved_at = float("-inf")
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it until there is an answer: also between tries, so that none goes before."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._n_under_way < max(1, int(self.limit)))
            self._n_under_way += 1
        try:
            yield
        finally:
            self._n_under_way -= 1
            async with self._changed:
                self._changed.notify_all()

    async def opened(self) -> float:
        """Wait until the server may be asked; returns the time."""
        while (left := self._closed_until - self._clock()) > 0:
            await self._sleep(left + random.uniform(0, _JITTER_SECONDS))
        return self._clock()

    def kept_up(self) -> None:
        """Note an answer: after as many as are under way, one more may be."""
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def overloaded(self, sent_at: float) -> None:
        """Note that a request which was sent then was too much."""
        if sent_at >= self._halved_at:
            self.limit = max(1.0, self.limit / 2)
            self._halved_at = self._clock()

    def close(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)
