"""What `--sequential` costs in items, and how often it errs, with a look after every batch.

    python benchmarks/coverage_sequential.py           10,000 replications: about 9 minutes of one core
    python benchmarks/coverage_sequential.py --quick   a few seconds, to see that it works
    python benchmarks/coverage_sequential.py --json    one JSON object a line instead of the table

A sample is asked batch by batch until its verdict is settled or all items are there. A verdict errs where it says
improved or degraded of models that do not differ, or preserved of a loss of exactly the margin, 2 points (the suite:
1). Exit code 1 when a goal is missed, beyond two standard errors of the simulation:

- false differences at most 5 %, false `preserved` at most 2.5 %, at whatever look; of any of eleven tasks both together
- the interval at the last look covers in 95 % of samples or more, and contradicts its verdict in none
- 10,000 items, 5 % of them differing, among 11 tasks, a look every 100: mean items at most 2,500 with no true
  difference and with a loss of 2 points, at most 400 with one of 5
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from goals import Status, run
from sequential_runs import LEVEL, MARGIN, SUITE_MARGIN, SUITE_SIZES, Ended, model_runs, passage_runs, plain_runs
from side_by_side import simulation_error
from simulated import seeded

from mplus_eval.statistics.rounds import round_sizes

SIZES = (1319, 3852, 10_000)
DISCORDANCES = (0.02, 0.05, 0.1, 0.2)
DIFFERENCES = (0.0, -0.02, -0.05, 0.02, -0.01)
CHUNK = 500
QUICK = 20
"""Replications up to which one discordance stands for all."""
TRUTHS = (
    ("nothing lost", 0.05, (0.0,) * 11),
    ("nothing lost", 0.1, (0.0,) * 11),
    ("1 point everywhere", 0.05, (-0.01,) * 11),
    ("2 points everywhere", 0.05, (-0.02,) * 11),
    ("5 points everywhere", 0.05, (-0.05,) * 11),
    ("5.5 on two tasks", 0.1, (-0.055,) * 2 + (0.0,) * 9),
    ("losses and gains", 0.1, (-0.05,) * 5 + (0.14 / 6,) * 6),
)
"""What is lost and gained by eleven tasks, which is a loss of the suite's margin, one point, in three of the cases."""
MOST_ITEMS = {(0.05, 0.0): 2500, (0.05, -0.02): 2500, (0.05, -0.05): 400}
"""Goals by discordance and true difference, with 10,000 items among 11 tasks and a look every 100."""


@dataclass(frozen=True)
class Row:
    """One line: how many items were asked on average, what was decided, and whether every goal is met."""

    what: str
    n: int
    n_tests: int
    discordance: float
    difference: float
    items: float
    improved: float
    preserved: float
    degraded: float
    false: float
    covered: float
    contradicted: int
    status: Status


def looks_every(step: int, n: int) -> list[int]:
    """Numbers of items at which is looked, the last one all of them."""
    return [*range(step, n, step), n]


def row_of(what: str, n: int, n_tests: int, discordance: float, difference: float, ended: Ended, margin: float) -> Row:
    """One line of how samples ended, held against the goals."""
    improved, preserved, degraded = (
        np.asarray(x, dtype=bool) for x in (ended.improved, ended.preserved, ended.degraded)
    )
    false, most = np.zeros(improved.size, dtype=bool), 1.0
    if difference == 0:
        false, most = improved | degraded, LEVEL
    elif difference <= -margin + 1e-9:
        false, most = improved | preserved, LEVEL / 2
    covered = (ended.low <= difference + 1e-9) & (ended.high >= difference - 1e-9)
    against = (improved & (ended.low <= 0)) | (degraded & (ended.high >= 0)) | (preserved & (ended.low <= -margin))
    row = Row(
        what, n, n_tests, discordance, difference, float(ended.items.mean()), float(improved.mean()),
        float(preserved.mean()), float(degraded.mean()), float(false.mean()), float(covered.mean()),
        int(against.sum()), "ok",
    )  # fmt: skip
    missed = (
        row.false > most + 2 * simulation_error(row.false, improved.size)
        or row.covered < 1 - LEVEL - 2 * simulation_error(row.covered, improved.size)
        or row.contradicted > 0
        or (what == "plain, every 100" and n == 10_000 and n_tests == 11
            and row.items > MOST_ITEMS.get((discordance, difference), n))
    )  # fmt: skip
    return replace(row, status="MISSED" if missed else "ok")


def plain_rows(n_runs: int, seed: int) -> Iterator[Row]:
    """Plain tasks, alone and among eleven, looked at every 100 items; the largest as rounds ask it, too."""
    discordances = DISCORDANCES if n_runs > QUICK else (0.05,)
    for n in SIZES:
        for n_tests in (1, 11):
            for discordance in discordances:
                for difference in DIFFERENCES:
                    if -difference > discordance:
                        continue
                    yield _plain_row(
                        "plain, every 100", looks_every(100, n), n_tests, discordance, difference, n_runs, seed
                    )
    for discordance in discordances:
        for difference in DIFFERENCES:
            if -difference <= discordance:
                yield _plain_row("plain, by rounds", round_sizes(10_000), 11, discordance, difference, n_runs, seed)


def _plain_row(
    what: str, looks: list[int], n_tests: int, discordance: float, difference: float, n_runs: int, seed: int
) -> Row:
    rng = seeded(seed, what, looks[-1], n_tests, discordance, difference)
    parts = [
        plain_runs(discordance, difference, looks, n_tests, min(2000, n_runs - start), rng)
        for start in range(0, n_runs, 2000)
    ]
    return row_of(what, looks[-1], n_tests, discordance, difference, Ended.joined(parts), MARGIN)


def passage_rows(n_runs: int, seed: int) -> Iterator[Row]:
    """By the boundary: passages of 16 with an intraclass correlation, 0/1 and graded scores, and items alone."""
    for what, n_clusters, size, icc, graded in (
        ("boundary, items", 3000, 1, 0.0, False),
        ("passages, ICC 0", 588, 16, 0.0, False),
        ("passages, ICC 0.1", 588, 16, 0.1, False),
        ("passages, ICC 0.3", 588, 16, 0.3, False),
        ("graded, ICC 0.1", 588, 16, 0.1, True),
    ):
        for difference in (0.0, -0.02, -0.05):
            rng = seeded(seed, what, difference)
            parts = [
                passage_runs(n_clusters, size, icc, graded, 0.05, difference, min(CHUNK, n_runs - start), rng)
                for start in range(0, n_runs, CHUNK)
            ]
            yield row_of(what, n_clusters * size, 1, 0.05, difference, Ended.joined(parts), MARGIN)


def run_rows(n_runs: int, seed: int) -> Iterator[Row]:
    """One model against the baseline as `--sequential` asks it: eleven plain tasks of the suite's sizes, by rounds.

    Holm over the tasks at every round; what is settled is left, and asked on only where all tasks are settled and the
    suite is not. `false` is any false verdict of a task, or in the lines named so of the suite.
    """
    for what, discordance, truths in TRUTHS:
        rng = seeded(seed, what, discordance)
        parts = [
            model_runs(discordance, np.array(truths), min(1000, n_runs - start), rng)
            for start in range(0, n_runs, 1000)
        ]
        asked, wrong = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
        suite, truth, n = Ended.joined([part[2] for part in parts]), float(np.mean(truths)), sum(SUITE_SIZES)
        rate, most = float(wrong.mean()), LEVEL + LEVEL / 2
        status = "MISSED" if rate > most + 2 * simulation_error(rate, n_runs) else "ok"
        yield Row(f"{what}, tasks", n, 11, discordance, truth, float(asked.mean()), 0, 0, 0, rate, 1, 0, status)
        yield row_of(f"{what}, suite", n, 1, discordance, truth, suite, SUITE_MARGIN)


def at_most(section: Callable[[int, int], Iterator[Row]], most: int) -> Callable[[int, int], Iterator[Row]]:
    """A section with no more replications than so many."""
    return lambda n_replications, seed: section(min(n_replications, most), seed)


SECTIONS = (plain_rows, at_most(run_rows, 4000), at_most(passage_rows, 1000))

HEADING = (
    f"{'what':26s} {'n':>6s} {'tests':>5s} {'differ':>6s} {'truth':>6s}   {'items':>7s} {'saved':>5s}"
    f"   {'impr.':>5s} {'pres.':>5s} {'degr.':>5s}   {'false':>6s} {'covered':>7s}"
)


def line(row: Row) -> str:
    """A row of the table; shares in percent."""
    return (
        f"{row.what:26s} {row.n:6d} {row.n_tests:5d} {100 * row.discordance:6.0f} {100 * row.difference:+6.0f}   "
        f"{row.items:7.0f} {100 * (1 - row.items / row.n):4.0f}%   {100 * row.improved:5.1f} "
        f"{100 * row.preserved:5.1f} {100 * row.degraded:5.1f}   {100 * row.false:6.2f} {100 * row.covered:7.2f}  "
        f"{row.status}"
    )


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", SECTIONS, 10_000, "coverage_sequential", heading=HEADING, line=line, quick=QUICK))
