from __future__ import annotations

import asyncio

import pytest

from mplus_eval.servers.gate import FIRST, Gate


class Clock:
    """A clock that goes on when somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_server_that_keeps_up_gets_one_more_for_as_many_answers_as_are_under_way(clock: Clock) -> None:
    gate = Gate(16, clock)
    for _ in range(FIRST):
        gate.kept_up()
    assert gate.limit == pytest.approx(FIRST + 1, abs=0.1)
    for _ in range(1000):
        gate.kept_up()
    assert gate.limit == 16


def test_refusals_of_requests_that_were_sent_together_halve_once(clock: Clock) -> None:
    gate = Gate(8, clock)
    clock.now = 1.0
    for _ in range(5):
        gate.overloaded(sent_at=0.5)
    assert gate.limit == 4
    gate.overloaded(sent_at=1.5)
    assert gate.limit == 2
    for time in range(2, 9):
        clock.now = float(time)
        gate.overloaded(sent_at=time + 0.5)
    assert gate.limit == 1


def test_no_more_pass_than_the_limit_says(clock: Clock) -> None:
    async def count() -> int:
        gate, inside, most = Gate(3, clock), 0, 0

        async def pass_through() -> None:
            nonlocal inside, most
            async with gate.passage():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(pass_through() for _ in range(20)))
        return most

    assert asyncio.run(count()) == 3


def test_nobody_passes_while_the_server_asks_to_be_left_alone(clock: Clock) -> None:
    async def passed_at() -> float:
        gate = Gate(1, clock, clock.sleep)
        gate.close(2.0)
        async with gate.passage():
            return await gate.opened()

    assert 2.0 <= asyncio.run(passed_at()) <= 2.2
