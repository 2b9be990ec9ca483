from __future__ import annotations

from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.simulation import lower_bound, simulate
from mplus_eval.pipeline.executors.work import Needs, Shard

A, B = Seat("A"), Seat("B")
SHARDS = [Shard("x", ("x", task), "", (0,), seconds=10.0) for task in "abcd"]


def test_one_worker_takes_the_load_and_all_shards() -> None:
    found = simulate(SHARDS, {"x": Needs(5.0)}, [A])
    assert (found.makespan, found.n_loads, found.n_left) == (45.0, 1, 0)


def test_two_workers_share_them_each_with_a_load() -> None:
    found = simulate(SHARDS, {"x": Needs(5.0)}, [A, B])
    assert (found.makespan, found.n_loads) == (25.0, 2)
    assert lower_bound(SHARDS, {"x": Needs(5.0)}, 2) == 22.5


def test_what_a_lost_worker_was_at_is_done_again_after_its_repair() -> None:
    # A is lost at 20 s, 5 s into its second shard; back at 50 s it loads for 5 s, and three shards take 30 s.
    found = simulate(SHARDS, {"x": Needs(5.0)}, [A], [(20.0, A)], repair=30.0)
    assert (found.makespan, found.n_loads, found.lost) == (85.0, 2, 5.0)


def test_a_shard_that_nobody_can_hold_is_left() -> None:
    assert simulate(SHARDS, {"x": Needs(devices=2.0)}, [A]).n_left == 4


def test_no_bound_is_below_the_longest_shard_with_its_load() -> None:
    assert lower_bound(SHARDS[:1], {"x": Needs(5.0)}, 64) == 15.0
