"""What does a Ray cluster cost a run, beside the same run in one process?

    python benchmarks/ray_overhead.py            some minutes, best where nothing else runs
    python benchmarks/ray_overhead.py --quick    whether it runs: small models, few items

Two random models are asked five tasks of the suite `mini`, ten cells, in this process, and by one worker of a cluster
that is started on this machine for the run; in turns, each with one thread. What is timed:

- starting: Ray, the worker's process, its imports and its plan, before the first shard;
- computing: from the first shard to the last score;
- a shard that is stored already, given to the worker and back: what the way costs.

By the clock, and starting by the processor time of all processes too, which is what the clock would say at most where
nothing else runs. Both runs must end in the same answers. Exit code 1 when starting, by processor time, and the way
take more than 5 % of five minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from printout import add_write, printed

GOAL, PLAN_SECONDS = 0.05, 300.0
N_SHARDS = 16
"""Of a plan: each of two workers finds eight of its share at least."""
N_EMPTY = 50
"""Shards that are given out although all of them is stored."""


@dataclass(frozen=True)
class Took:
    """Seconds of one run, and a hash of its answers."""

    starting: float
    processor: float
    computing: float
    shard: float
    answers: str


def main() -> int:
    """Measure, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=60, help="items of each task")
    parser.add_argument("--rounds", type=int, default=3, help="of one process and Ray")
    parser.add_argument("--quick", action="store_true", help="small models, three items, one round")
    add_write(parser)
    return printed(parser.parse_args(), measure, "ray_overhead")


def measure(arguments: argparse.Namespace) -> int:
    """Run in turns, and print seconds and the share of a plan of five minutes."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from workers import build_models

    from mplus_eval.log_setup import silence_libraries

    silence_libraries()
    limit, rounds = (3, 1) if arguments.quick else (arguments.limit, arguments.rounds)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    took: dict[str, list[Took]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as folder:
        models = build_models(Path(folder), small=arguments.quick)
        for number in range(rounds):
            for executor, runs in took.items():
                output = Path(folder) / f"{executor}-{number}"
                runs.append(evaluated(models, output, executor, limit, with_way=number == 0))
                told = f"{runs[-1].starting:.1f} s to start ({runs[-1].processor:.1f} s of processor time)"
                told += f", {runs[-1].computing:.1f} s to compute"
                print(f"round {number + 1}, {executor}: {told}", flush=True)
    assert len({run.answers for runs in took.values() for run in runs}) == 1, "Ray gave other answers"

    def middle(executor: str, seconds: Callable[[Took], float]) -> float:
        return median(seconds(run) for run in took[executor])

    starting, processor = (middle("ray", each) for each in (lambda run: run.starting, lambda run: run.processor))
    shard = took["ray"][0].shard
    local, ray = (middle(executor, lambda run: run.computing) for executor in ("local", "ray"))
    share = (processor + N_SHARDS * shard) / PLAN_SECONDS
    print(f"\n10 cells of {limit} items at most, medians: {local:.1f} s in one process, {ray:.1f} s by a worker of Ray")
    print(f"starting takes {starting:.1f} s by the clock, {processor:.1f} s of processor time")
    print(f"the way of a shard to the worker and back takes {1000 * shard:.0f} ms")
    print(
        f"of five minutes with {N_SHARDS} shards that is {100 * share:.1f} %, by processor time; the goal is {GOAL:.0%}"
    )
    return 0 if arguments.quick or share <= GOAL else 1


def evaluated(models: dict[str, str], output: Path, executor: str, limit: int, *, with_way: bool) -> Took:
    """Run once; `with_way` measures the way of a shard too."""
    from workers import TASKS

    from mplus_eval.pipeline.evaluate import evaluate
    from mplus_eval.pipeline.executors.work import cut
    from mplus_eval.pipeline.prepare import prepare_plan
    from mplus_eval.spec.draft import draft_spec
    from mplus_eval.store.hashes import hash_text
    from mplus_eval.store.run_directory import RunDirectory

    options: dict[str, object] = {"suite": "mini", "tasks": TASKS, "limit": limit, "output": output}
    if executor == "ray":
        options |= {"executor": "ray", "cpus_per_model": os.cpu_count() or 1}
    spec, faults = draft_spec(models, None, options)
    directory = RunDirectory(output)
    plan = prepare_plan(spec, directory, faults=faults)
    with directory.locked():
        started, used = time.perf_counter(), processor_seconds()
        workers = None
        if executor == "ray":
            from mplus_eval.pipeline.executors.ray import RayExecutor

            workers = RayExecutor(plan, directory, say=print)
        begun, used = time.perf_counter(), processor_seconds() - used
        failures = evaluate(plan, directory, executor=workers)
        computed = time.perf_counter()
        assert not failures, failures
        shard = 0.0
        if executor == "ray" and with_way:
            shards = [next(cut(cell, cell.parts, 1.0)) for cell in plan.cells]
            shard = way_of(RayExecutor(plan, directory, say=print), shards)
    answers = (answer for cell in plan.cells for answer in directory.read_answers(*cell.key))
    return Took(begun - started, used, computed - begun, shard, hash_text("".join(map(str, answers))))


def processor_seconds() -> float:
    """Of this process and all that it started and that live."""
    import psutil

    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def way_of(executor: object, shards: list[object]) -> float:
    """Seconds that a shard takes of which everything is stored."""
    from mplus_eval.pipeline.executors.base import Finished
    from mplus_eval.pipeline.executors.ray import RayExecutor

    assert isinstance(executor, RayExecutor)
    try:
        (seat,) = executor.seats
        started = time.perf_counter()
        for number in range(N_EMPTY):
            executor.start(seat, shards[number % len(shards)])  # type: ignore[arg-type]
            while not any(isinstance(event, Finished) for event in executor.events(1.0)):
                pass
        return (time.perf_counter() - started) / N_EMPTY
    finally:
        executor.close()


if __name__ == "__main__":
    sys.exit(main())
