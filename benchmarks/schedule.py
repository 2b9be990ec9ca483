"""How near the schedule comes to the best that could be: 1,000 checkpoints on the suite, on 64 GPUs, with failures.

    python benchmarks/schedule.py            some seconds
    python benchmarks/schedule.py --quick    a tenth of the checkpoints

Nothing is computed: the scheduler's own code (`mplus_eval.pipeline.executors`) gives shards out in simulated time. The
lower bound is all work and one load a model, evenly spread over all GPUs; no schedule can be below it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator

from printout import add_write, printed

from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.simulation import lower_bound, simulate
from mplus_eval.pipeline.executors.work import Needs, Shard, longest_shard

SUITE = {
    "mmlu": 14_042 * 0.02, "agieval_en": 2_546 * 0.05, "bbh": 6_511 * 0.5, "arc_easy": 2_376 * 0.05,
    "arc_challenge": 1_172 * 0.05, "hellaswag": 10_042 * 0.03, "winogrande": 1_267 * 0.02, "race_high": 3_498 * 0.04,
    "race_middle": 1_436 * 0.04, "drop": 9_536 * 0.1, "gsm8k": 1_319 * 0.6, "toxicity": 1_000 * 2.5,
}  # fmt: skip
"""Seconds of each task for a model of 7 B on one GPU: assumed, so that shards differ in length as real ones do."""
SIZES = {7: 0.80, 13: 0.15, 34: 0.05}
"""Billions of parameters, and the share of checkpoints that have so many; work and loads grow with them."""
MOST_SECONDS = 10.0
LOADING = 40.0
"""Seconds of loading a model of 7 B."""


def shards_of(model: str, size: int, longest: float, rng: random.Random) -> Iterator[Shard]:
    """The suite for one checkpoint, cut as a run cuts it, each task off by up to a fifth."""
    for task, seconds in SUITE.items():
        whole = seconds * size / 7 * rng.uniform(0.8, 1.2)
        n_shards = max(1, round(whole / longest))
        for number in range(n_shards):
            yield Shard(model, (model, task), "", (number,), seconds=whole / n_shards)


def plan(n_models: int, n_workers: int, seed: int = 0) -> tuple[list[Shard], dict[str, Needs]]:
    """Shards and loads of so many checkpoints."""
    rng = random.Random(seed)
    sizes = rng.choices(list(SIZES), list(SIZES.values()), k=n_models)
    longest = longest_shard(sum(SUITE.values()) * sum(sizes) / 7, n_workers)
    # A shard is at most some minutes, since what is lost with a worker is computed again.
    longest = min(longest, 600.0)
    needs = {f"step-{number}": Needs(LOADING * size / 7) for number, size in enumerate(sizes)}
    shards = [
        shard
        for (model, _), size in zip(needs.items(), sizes, strict=True)
        for shard in shards_of(model, size, longest, rng)
    ]
    return shards, needs


def failures(seats: list[Seat], hours: float, between: float, seed: int = 1) -> list[tuple[float, Seat]]:
    """When workers are lost, each every so many hours on average."""
    rng = random.Random(seed)
    times = []
    for seat in seats:
        at = rng.expovariate(1 / (between * 3600))
        while at < hours * 3600:
            times.append((at, seat))
            at += rng.expovariate(1 / (between * 3600))
    return sorted(times, key=lambda each: each[0])


def show(n_models: int, n_workers: int, between: float | None) -> None:
    """Simulate one case, and print a line of it."""
    shards, needs = plan(n_models, n_workers)
    seats = [Seat(f"GPU {number}") for number in range(n_workers)]
    bound = lower_bound(shards, needs, n_workers)
    lost = failures(seats, 2 * bound / 3600, between) if between else []
    started = time.perf_counter()
    found = simulate(shards, needs, seats, lost, repair=120.0)
    seconds = time.perf_counter() - started
    assert found.n_left == 0
    told = f"one in {between:g} h a GPU" if between else "none"
    print(
        f"{n_models:>6,} {n_workers:>5} {len(shards):>8,} {told:>18} {bound / 3600:>9.2f} "
        f"{found.makespan / 3600:>9.2f} {found.makespan / bound:>7.4f} {found.n_loads:>7,} "
        f"{found.lost / 3600:>8.2f} {seconds:>8.2f}"
    )


def show_speed(n_cells: int, n_workers: int) -> int:
    """Give out so many cells, and print how long the schedule alone took; 1 where that is more than `MOST_SECONDS`."""
    rng = random.Random(2)
    n_models = n_cells // 100
    needs = {f"m{number}": Needs(40.0) for number in range(n_models)}
    shards = [
        Shard(f"m{model}", (f"m{model}", f"t{task}"), "", (0,), seconds=rng.uniform(10, 600))
        for model in range(n_models)
        for task in range(100)
    ]
    seats = [Seat(f"GPU {number}") for number in range(n_workers)]
    started = time.perf_counter()
    schedule = Schedule(needs)
    schedule.add(shards)
    n_given, now = 0, 0.0
    while not schedule.is_done:
        for seat in seats:
            schedule.finished(seat.name)
            n_given += schedule.next(seat, now) is not None
        now += 300.0
    assert n_given == len(shards)
    seconds = time.perf_counter() - started
    print(f"{len(shards):,} cells given out to {n_workers} workers in {seconds:.2f} s")
    return int(seconds > MOST_SECONDS)


def main() -> int:
    """Measure, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the checkpoints")
    add_write(parser)
    return printed(parser.parse_args(), measure, "schedule")


def measure(arguments: argparse.Namespace) -> int:
    """Print what the schedule makes of several cases."""
    print("Seconds of tasks and loads are assumed; `sim., s` and the last line are measured.\n")
    print("models  GPUs   shards       workers lost  bound, h  takes, h   ratio   loads  lost, h  sim., s")
    n_models = 100 if arguments.quick else 1_000
    for between in (None, 24.0, 4.0):
        show(n_models, 64, between)
    show(100, 8, None)
    show(3, 64, None)
    print()
    return show_speed(10_000 if arguments.quick else 100_000, 64)


if __name__ == "__main__":
    sys.exit(main())
