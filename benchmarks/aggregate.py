"""How long do statistics and report of 8 models on 30,000 items take, and how much memory?

    python benchmarks/aggregate.py            8 models x 30,000 items of the 11 tasks of mplus, some minutes to make
    python benchmarks/aggregate.py --quick    3 models x 2,000 items
    python benchmarks/aggregate.py --keep DIR makes the run there, or takes the one that is there

The run directory holds answers and outcomes as a run leaves them (`stored_run.py`), and no model is loaded. A process
of its own then does what `compare` does once everything is answered: looks which parts are there, turns outcomes into
`comparison.json`, and renders `report.html` with all items, `report.md` and the figures. Seconds are the processor's,
so that what else the machine does counts little; loading tasks and importing their libraries come before. Memory is the
most that was resident, all imports among it. Exit code 1 when it takes more than 20 s, or more than 2 GB.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from printout import add_write, printed

N_MODELS, N_ITEMS = 8, 30_000
GOAL_SECONDS, GOAL_BYTES = 20.0, 2e9


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer models and items; its figures prove nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the run directory lies, or will lie")
    parser.add_argument("--of-run", type=Path, help=argparse.SUPPRESS)
    add_write(parser)
    arguments = parser.parse_args()
    if arguments.of_run:
        return aggregated(arguments)
    return printed(arguments, measure, "aggregate")


def measure(arguments: argparse.Namespace) -> int:
    """Make the run, and have another process compare and render it."""
    from stored_run import store, stored_plan

    n_models, n_items = size_of(arguments)
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.keep or Path(folder)
        if not (run / "outcomes").is_dir():
            store(stored_plan(run, n_models, n_items))
        stored = sum(path.stat().st_size for path in run.rglob("part-*.parquet"))
        print(f"{n_models} models x {n_items:,} items of 11 tasks, {stored / 1e6:.0f} MB of answers and outcomes")
        command = [sys.executable, __file__, "--of-run", str(run), *(["--quick"] if arguments.quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout.strip() or done.stderr)
        return done.returncode


def aggregated(arguments: argparse.Namespace) -> int:
    """Compare and render what is stored, and say what that took."""
    from stored_run import stored_plan

    from mplus_eval.pipeline.aggregate import aggregate
    from mplus_eval.pipeline.stored import stored_parts
    from mplus_eval.reports import write_report
    from mplus_eval.store.run_directory import RunDirectory

    plan, directory = stored_plan(arguments.of_run, *size_of(arguments)), RunDirectory(arguments.of_run)
    started = time.process_time()
    assert all(all(stored_parts(cell, directory)) for cell in plan.cells)
    seen = time.process_time()
    comparison = aggregate(plan, directory, {})
    comparison.write(directory.comparison)
    compared = time.process_time()
    written = write_report(directory.path)
    rendered = time.process_time()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = rendered - started
    print(f"parts looked at  {seen - started:6.1f} s\nstatistics       {compared - seen:6.1f} s")
    print(f"report           {rendered - compared:6.1f} s, {written.size / 1e6:.1f} MB")
    is_quick, is_small = seconds <= GOAL_SECONDS, most <= GOAL_BYTES
    print(f"together         {seconds:6.1f} s, goal {GOAL_SECONDS:.0f}: {'met' if is_quick else 'missed'}")
    print(f"memory           {most / 1e9:6.2f} GB, goal {GOAL_BYTES / 1e9:.0f}: {'met' if is_small else 'missed'}")
    return int(not (is_quick and is_small))


def size_of(arguments: argparse.Namespace) -> tuple[int, int]:
    """Models and items."""
    return (3, 2_000) if arguments.quick else (N_MODELS, N_ITEMS)


if __name__ == "__main__":
    sys.exit(main())
