"""How much sooner are two workers done than one?

    python benchmarks/workers.py            some ten minutes on two cores that nothing else uses
    python benchmarks/workers.py --quick    whether it runs: small models, few items

Two random models are asked five tasks of the suite `mini`, ten cells, by `--devices cpu` and by `--devices cpu,cpu`,
each worker with one thread; in turns, since a machine is not equally quick all the time. What is timed is evaluation
alone, from the first worker's start to the last score; what comes before and after is the same for both. Every run must
end in the same answers.

Exit code 1 when two workers are less than 1.8 times as quick as one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from printout import add_write, printed

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' models are not installed

GOAL = 1.8
TASKS = "mini_mmlu,mini_winogrande,mini_drop,mini_gsm8k,mini_bbh"
COUNTS = (1, 2)


def main() -> int:
    """Measure, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=60, help="items of each task")
    parser.add_argument("--rounds", type=int, default=3, help="of one worker and two")
    parser.add_argument("--quick", action="store_true", help="small models, three items, one round")
    add_write(parser)
    return printed(parser.parse_args(), measure, "workers")


def measure(arguments: argparse.Namespace) -> int:
    """Run in turns, and print seconds and ratio."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from mplus_eval.log_setup import silence_libraries

    silence_libraries()
    limit, rounds = (3, 1) if arguments.quick else (arguments.limit, arguments.rounds)
    seconds: dict[int, list[float]] = {n_workers: [] for n_workers in COUNTS}
    with tempfile.TemporaryDirectory() as folder:
        models = build_models(Path(folder), small=arguments.quick)
        answers = set()
        for number in range(rounds):
            for n_workers in COUNTS:
                took, given = evaluated(models, Path(folder) / f"run-{number}-{n_workers}", n_workers, limit)
                seconds[n_workers].append(took)
                answers.add(given)
                print(f"round {number + 1}, {n_workers} worker{'s' * (n_workers > 1)}: {took:.1f} s", flush=True)
    assert len(answers) == 1, "workers gave other answers than one worker"
    alone, together = (median(seconds[n_workers]) for n_workers in COUNTS)
    print(f"\n10 cells of {limit} items at most: {alone:.1f} s by one worker, {together:.1f} s by two (medians)")
    print(f"two workers are {alone / together:.2f} times as quick as one; the goal is {GOAL}")
    return 0 if arguments.quick or alone / together >= GOAL else 1


def build_models(folder: Path, *, small: bool) -> dict[str, str]:
    """Two random models of 25 M parameters, or of 30 thousand."""
    from request_sets import random_model

    from tests.tiny_models import build_model, build_tokenizer

    models = {}
    for seed, name in enumerate(("base", "plus")):
        if small:
            models[name] = str(build_model(folder / name, seed=seed, context=4096))
            continue
        model = random_model()
        model.save_pretrained(folder / name)
        build_tokenizer(model.config.vocab_size).save_pretrained(folder / name)
        models[name] = str(folder / name)
    return models


def evaluated(models: dict[str, str], output: Path, n_workers: int, limit: int) -> tuple[float, str]:
    """Seconds of evaluation, and a hash of all answers."""
    from mplus_eval.pipeline.calibrate import estimate_plan
    from mplus_eval.pipeline.evaluate import evaluate
    from mplus_eval.pipeline.executors.local import Local
    from mplus_eval.pipeline.prepare import prepare_plan
    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.spec.draft import draft_spec
    from mplus_eval.store.hashes import hash_text
    from mplus_eval.store.run_directory import RunDirectory

    devices = ",".join(["cpu"] * n_workers)
    options = {"suite": "mini", "tasks": TASKS, "limit": limit, "output": output, "devices": devices}
    spec, faults = draft_spec(models, None, options)
    directory = RunDirectory(output)
    plan = prepare_plan(spec, directory, faults=faults)
    expected = estimate_plan(plan, directory, RunProgress()).expected
    started = time.perf_counter()
    failures = evaluate(plan, directory, executor=Local(spec), expected=expected)
    seconds = time.perf_counter() - started
    assert not failures, failures
    answers = (answer for cell in plan.cells for answer in directory.read_answers(*cell.key))
    return seconds, hash_text("".join(map(str, answers)))


if __name__ == "__main__":
    sys.exit(main())
