"""The driver with an executor whose workers do and suffer what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mplus_eval.pipeline.executors.base import Advanced, Event, Finished, Lost
from mplus_eval.pipeline.executors.driver import Driver
from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.work import Needs, Shard

Fate = Callable[[Seat, Shard], Event]


class Scripted:
    """Ends every shard as a function says."""

    def __init__(self, fate: Fate, n_seats: int = 2) -> None:
        self.seats: list[Seat] = [Seat(f"worker {number}") for number in range(1, n_seats + 1)]
        self.fate = fate
        self.started: list[tuple[str, Shard]] = []
        self.under_way: list[tuple[Seat, Shard]] = []

    def start(self, seat: Seat, shard: Shard) -> None:
        self.started.append((seat.name, shard))
        self.under_way.append((seat, shard))

    def events(self, seconds: float) -> list[Event]:
        under_way, self.under_way = self.under_way, []
        return [self.fate(seat, shard) for seat, shard in under_way]

    def close(self) -> None:
        pass


class Heard:
    """What the driver told."""

    def __init__(self) -> None:
        self.done: list[Shard] = []
        self.causes: dict[tuple[str, str], str] = {}
        self.said: list[str] = []
        self.driver: Driver | None = None

    def begun(self, shard: Shard) -> None:
        pass

    def advanced(self, event: Advanced) -> None:
        pass

    def stored(self, shard: Shard, *, elsewhere: bool) -> None:
        self.done.append(shard)

    def is_stored(self, shard: Shard) -> bool:
        return False

    def failed(self, shards: Sequence[Shard], cause: str) -> None:
        for shard in shards:
            assert self.driver is not None
            self.driver.drop(shard.cell)
            self.causes.setdefault(shard.cell, cause)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def shards(model: str, *tasks: str) -> list[Shard]:
    return [Shard(model, (model, task), "", (0,), seconds=10.0) for task in tasks]


def driven(executor: Scripted, *added: Shard) -> Heard:
    heard = Heard()
    needs = {shard.model: Needs() for shard in added}
    heard.driver = Driver(executor, Schedule(needs), heard, None)
    heard.driver.add(added)
    heard.driver.run()
    return heard


def finish(seat: Seat, shard: Shard) -> Event:
    return Finished(seat, shard)


def test_every_shard_is_computed_once() -> None:
    executor = Scripted(finish)
    added = shards("x", "a", "b", "c") + shards("y", "a", "b")
    heard = driven(executor, *added)
    assert sorted(heard.done, key=lambda each: each.cell) == added
    assert len(executor.started) == 5


def test_a_shard_of_a_lost_worker_is_given_to_another_and_that_is_said() -> None:
    lost = [True]

    def fate(seat: Seat, shard: Shard) -> Event:
        return Lost(seat, f"{seat.name} was killed") if lost and lost.pop() else finish(seat, shard)

    heard = driven(Scripted(fate), *shards("x", "a"))
    assert [shard.cell for shard in heard.done] == [("x", "a")]
    assert heard.said == ["worker 1 was killed, at x × a, part 0, which is given to another"]


def test_a_shard_at_which_three_workers_are_lost_fails_its_cell_and_the_others_go_on() -> None:
    def fate(seat: Seat, shard: Shard) -> Event:
        return Lost(seat, f"{seat.name} was killed") if shard.cell[1] == "a" else finish(seat, shard)

    executor = Scripted(fate, n_seats=1)
    heard = driven(executor, *shards("x", "a", "b"))
    assert heard.causes == {("x", "a"): "worker 1 was killed; 3 workers were lost at x × a, part 0"}
    assert [shard.cell for shard in heard.done] == [("x", "b")]
    assert sum(shard.cell[1] == "a" for _, shard in executor.started) == 3


def test_without_a_worker_left_all_that_is_left_fails() -> None:
    executor = Scripted(finish, n_seats=1)

    def fate(seat: Seat, shard: Shard) -> Event:
        executor.seats.clear()
        return Lost(seat, "worker 1 cannot begin: no such tokenizer")

    executor.fate = fate
    heard = driven(executor, *shards("x", "a", "b"))
    assert heard.causes == dict.fromkeys(
        [("x", "a"), ("x", "b")], "no worker is left: worker 1 cannot begin: no such tokenizer"
    )


def test_a_model_that_nobody_could_load_fails_all_its_cells_after_one_try() -> None:
    def fate(seat: Seat, shard: Shard) -> Event:
        return (
            Finished(seat, shard, "loading the model: no weights", "loading")
            if shard.model == "x"
            else finish(seat, shard)
        )

    executor = Scripted(fate, n_seats=1)
    heard = driven(executor, *shards("x", "a", "b"), *shards("y", "a"))
    assert heard.causes == dict.fromkeys([("x", "a"), ("x", "b")], "loading the model: no weights")
    assert [shard.model for _, shard in executor.started].count("x") == 1


def test_a_worker_that_cannot_load_what_others_could_leaves_it_to_them() -> None:
    def fate(seat: Seat, shard: Shard) -> Event:
        if seat.name == "worker 2":
            return Finished(seat, shard, "loading the model: out of memory", "loading")
        return finish(seat, shard)

    executor = Scripted(fate)
    heard = driven(executor, *shards("x", "a", "b", "c", "d", "e"))
    assert len(heard.done) == 5
    assert heard.said == ["worker 2 is given no more of x: loading the model: out of memory"]
    assert [name for name, _ in executor.started].count("worker 2") == 1


@pytest.mark.parametrize("devices", [2.0, 4.0])
def test_a_model_that_no_worker_has_enough_devices_for_fails(devices: float) -> None:
    heard = Heard()
    heard.driver = Driver(Scripted(finish), Schedule({"x": Needs(devices=devices)}), heard, None)
    heard.driver.add(shards("x", "a"))
    heard.driver.run()
    assert heard.causes == {("x", "a"): "no worker has enough devices"}
