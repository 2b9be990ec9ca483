from __future__ import annotations

import random

import pytest

from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.simulation import lower_bound, simulate
from mplus_eval.pipeline.executors.work import Needs, Shard

A, B, C = Seat("A"), Seat("B"), Seat("C")


def shard(model: str, task: str, seconds: float, part: int = 0) -> Shard:
    return Shard(model, (model, task), "fingerprint", (part,), seconds=seconds)


def schedule(needs: dict[str, Needs], *shards: Shard, in_order: bool = False) -> Schedule:
    made = Schedule(needs, in_order=in_order)
    made.add(shards)
    return made


def taken(made: Schedule, seat: Seat, now: float = 0.0) -> tuple[str, str] | None:
    found = made.next(seat, now)
    return None if found is None else found.cell


def test_the_model_with_the_most_work_is_started_first_and_its_longest_shard() -> None:
    made = schedule({"x": Needs(), "y": Needs()}, shard("x", "a", 5), shard("y", "a", 2), shard("y", "b", 4))
    assert taken(made, A) == ("y", "b")
    assert taken(made, B) == ("x", "a")


def test_a_worker_stays_with_its_model_although_another_has_more_left() -> None:
    made = schedule({"x": Needs(), "y": Needs()}, shard("x", "a", 5), shard("x", "b", 5), shard("y", "a", 9))
    assert taken(made, A) == ("x", "a")
    made.finished("A")
    assert taken(made, A) == ("x", "b")


def test_a_single_worker_takes_models_and_shards_in_the_order_in_which_they_came() -> None:
    made = schedule(
        {"x": Needs(), "y": Needs()}, shard("y", "a", 9), shard("x", "a", 1), shard("x", "b", 5), in_order=True
    )
    order = []
    while (found := taken(made, A)) is not None:
        made.finished("A")
        order.append(found)
    assert order == [("x", "a"), ("x", "b"), ("y", "a")]


def test_help_is_given_where_it_is_done_sooner_than_by_those_who_are_at_it() -> None:
    # A is at 10 s, 20 s are left: B would be done with 10 s after 4 + 10 s, and A alone after 30 s.
    made = schedule({"x": Needs(4.0)}, *(shard("x", f"{n}", 10) for n in range(3)))
    assert taken(made, A) is not None
    assert taken(made, B) is not None
    # C would be done with the last 10 s after 14 s; two workers that are at 20 s with 10 s left take 15 s.
    assert taken(made, C) is not None


def test_no_help_is_given_where_the_load_does_not_pay() -> None:
    made = schedule({"x": Needs(60.0)}, *(shard("x", f"{n}", 10) for n in range(3)))
    assert taken(made, A) is not None
    assert taken(made, B) is None
    assert not made.is_done


def test_a_model_that_needs_two_devices_is_given_to_those_who_have_them_alone_and_first() -> None:
    pair = Seat("pair", 2.0)
    made = schedule({"small": Needs(), "large": Needs(devices=2.0)}, shard("small", "a", 90), shard("large", "a", 10))
    assert taken(made, pair) == ("large", "a")
    assert taken(made, A) == ("small", "a")
    made = schedule({"large": Needs(devices=2.0)}, shard("large", "a", 10))
    assert taken(made, A) is None


def test_a_server_is_asked_by_one_worker_alone() -> None:
    made = schedule({"x": Needs(most_workers=1)}, shard("x", "a", 50), shard("x", "b", 50))
    assert taken(made, A) == ("x", "a")
    assert taken(made, B) is None


def test_what_a_lost_worker_was_at_goes_back() -> None:
    made = schedule({"x": Needs(100.0)}, shard("x", "a", 5))
    assert taken(made, A) == ("x", "a")
    assert taken(made, B) is None
    assert made.give_back("A") == shard("x", "a", 5)
    assert taken(made, B) == ("x", "a")
    made.finished("B")
    assert made.is_done


def test_a_worker_that_could_not_load_a_model_is_given_no_more_of_it() -> None:
    made = schedule({"x": Needs()}, shard("x", "a", 5), shard("x", "b", 5))
    assert taken(made, A) is not None
    made.give_back("A", barred=True)
    assert taken(made, A) is None
    assert taken(made, B) is not None


def test_what_is_left_of_a_cell_or_a_model_can_be_dropped() -> None:
    made = schedule({"x": Needs()}, shard("x", "a", 5), shard("x", "a", 5, 1), shard("x", "b", 5))
    assert len(made.drop(cell=("x", "a"))) == 2
    assert made.drop(model="x") == [shard("x", "b", 5)]
    assert made.is_done


def test_models_that_other_machines_are_at_are_taken_last() -> None:
    made = schedule({"x": Needs(1.0), "y": Needs(1.0)}, shard("x", "a", 9), shard("x", "b", 9), shard("y", "a", 1))
    made.note_others({"x": 1})
    assert taken(made, A) == ("y", "a")
    made.finished("A")
    assert taken(made, A) == ("x", "a")


def test_a_shard_that_could_not_be_claimed_is_taken_out_and_the_worker_keeps_its_model() -> None:
    made = schedule({"x": Needs(1.0), "y": Needs(1.0)}, shard("x", "a", 9), shard("y", "a", 5), shard("y", "b", 5))
    assert taken(made, A) == ("y", "a")
    made.finished("A")
    assert taken(made, A) == ("y", "b")
    assert made.undo("A") == shard("y", "b", 5)
    assert taken(made, A) == ("x", "a")
    assert made.undo("A").model == "x"
    made.add([shard("y", "b", 5), shard("x", "a", 9)])
    assert taken(made, A) == ("y", "b")


@pytest.mark.parametrize("seed", range(20))
def test_the_makespan_is_within_two_loads_and_two_shards_of_the_lower_bound(seed: int) -> None:
    rng = random.Random(seed)
    n_workers = rng.randint(1, 12)
    needs = {f"m{n}": Needs(rng.uniform(0, 30)) for n in range(rng.randint(1, 30))}
    shards = [shard(model, f"t{n}", rng.uniform(1, 60)) for model in needs for n in range(rng.randint(1, 20))]
    found = simulate(shards, needs, [Seat(f"{n}") for n in range(n_workers)])
    slack = 2 * max(each.loading for each in needs.values()) + 2 * max(each.seconds for each in shards)
    assert found.n_left == 0
    assert lower_bound(shards, needs, n_workers) - 1e-6 <= found.makespan
    assert found.makespan <= lower_bound(shards, needs, n_workers) + slack
    assert len(needs) <= found.n_loads <= len(needs) + 2 * n_workers


@pytest.mark.parametrize("seed", range(10))
def test_every_shard_is_computed_once_although_workers_are_lost(seed: int) -> None:
    rng = random.Random(seed)
    seats = [Seat(f"{n}") for n in range(5)]
    needs = {f"m{n}": Needs(5.0) for n in range(10)}
    shards = [shard(model, f"t{n}", rng.uniform(1, 20)) for model in needs for n in range(10)]
    failures = [(rng.uniform(0, 200), rng.choice(seats)) for _ in range(20)]
    found = simulate(shards, needs, seats, failures, repair=10.0)
    assert found.n_left == 0
    assert found.lost > 0
    # What was lost, the repairs and the loads anew are all that is added.
    added = found.lost + 20 * (10.0 + 5.0)
    assert found.makespan <= lower_bound(shards, needs, 5) + added / 5 + 2 * (5.0 + 20.0) + 10.0


def test_a_hundred_thousand_cells_are_given_out_within_ten_seconds() -> None:
    import time

    needs = {f"m{n}": Needs(10.0) for n in range(1000)}
    made = Schedule(needs)
    started = time.process_time()
    made.add(shard(model, f"t{n}", 1.0 + n) for model in needs for n in range(100))
    seats = [Seat(f"{n}") for n in range(64)]
    n_given = 0
    while not made.is_done:
        for seat in seats:
            made.finished(seat.name)
            n_given += made.next(seat, float(n_given)) is not None
    assert n_given == 100_000
    assert time.process_time() - started < 10
