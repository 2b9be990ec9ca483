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

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from printout import add_write, printed
from simulated import seeded

from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.hypothesis_tests import mcnemar
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.rounds import round_sizes
from mplus_eval.statistics.score_interval import score_interval, score_statistic
from mplus_eval.statistics.sequential import (
    LOOKING,
    Look,
    Progress,
    boundary_look,
    is_clear_loss,
    plain_look,
    plain_p_values,
)

LEVEL, MARGIN, SUITE_MARGIN = 0.05, 0.02, 0.01
SIZES = (1319, 3852, 10_000)
DISCORDANCES = (0.02, 0.05, 0.1, 0.2)
DIFFERENCES = (0.0, -0.02, -0.05, 0.02, -0.01)
CHUNK = 500
QUICK = 20
"""Replications up to which one discordance stands for all."""
SUITE_SIZES = (14_042, 10_042, 9536, 6511, 4500, 2376, 1319, 1267, 1172, 1045, 362)
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
    status: str


@dataclass(frozen=True)
class Ended:
    """How samples ended; arrays of one shape."""

    items: Floats
    improved: NDArray[np.bool_]
    preserved: NDArray[np.bool_]
    degraded: NDArray[np.bool_]
    low: Floats
    high: Floats

    @classmethod
    def joined(cls, parts: list[Ended]) -> Ended:
        """Several groups of samples as one."""
        return cls(**{each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)})


def looks_every(step: int, n: int) -> list[int]:
    """Numbers of items at which is looked, the last one all of them."""
    return [*range(step, n, step), n]


def verdicts(look: Look, p_difference: Floats, p_kept: Floats) -> tuple[NDArray[np.bool_], ...]:
    """Improved, preserved, degraded: the first that holds, of adjusted p-values."""
    differs, kept = p_difference < LEVEL, p_kept < LEVEL / 2
    improved = differs & (look.value > 0)
    return improved, kept & ~improved, differs & (look.value < 0) & ~kept & ~improved


def settle(
    ended: dict[str, Floats],
    is_open: NDArray[np.bool_],
    runs: NDArray[np.int64],
    n_items: int | Floats,
    look: Look,
    found: tuple[NDArray[np.bool_], ...],
    margin: float,
    *,
    is_last: bool,
) -> None:
    """Note how the samples ended that ask no further, and close them."""
    stops = found[0] | found[1] | (found[2] & is_clear_loss(look, margin)) | is_last
    columns = (np.broadcast_to(n_items, runs.shape), *found, look.low, look.high)
    for each, column in zip(fields(Ended), columns, strict=True):
        ended[each.name][runs[stops]] = column[stops]
    is_open[runs[stops]] = False


def plain_end(look: Look, gained: Floats, lost: Floats, n: int, margin: float = MARGIN) -> Look:
    """The look at all items: the exact test and the score interval with the rest of the level."""
    up, down = gained / n, lost / n
    return _with_end(look, mcnemar(lost, gained), up, down, np.full_like(up, n), margin)


def _with_end(look: Look, p_test: Floats, up: Floats, down: Floats, size: Floats, margin: float) -> Look:
    from scipy.stats import norm

    p_interval = 2 * norm.sf(np.abs(score_statistic(0.0, up, down, size)))
    critical = norm.isf(LEVEL * (1 - LOOKING) / 2)
    p_kept = norm.sf(score_statistic(-margin, up, down, size))
    return look.with_end(np.maximum(p_test, p_interval), p_kept, score_interval(up, down, size, critical))


def plain_runs(
    discordance: float, difference: float, looks: list[int], n_tests: int, n_runs: int, rng: np.random.Generator
) -> Ended:
    """Ask samples of one plain task, at the level that Holm leaves to the first of `n_tests`."""
    up, down = (discordance + difference) / 2, (discordance - difference) / 2
    gained, lost, before = np.zeros(n_runs), np.zeros(n_runs), 0
    ended: dict[str, Floats] = {each.name: np.zeros(n_runs) for each in fields(Ended)}
    is_open = np.ones(n_runs, dtype=bool)
    for n in looks:
        runs = np.flatnonzero(is_open)
        drawn = rng.multinomial(n - before, [up, down, 1 - up - down], size=runs.size)
        gained[runs] += drawn[:, 0]
        lost[runs] += drawn[:, 1]
        before = n
        if n < looks[-1]:
            # Of those that go on no interval is needed, which takes most of the time.
            p_difference, p_kept = plain_p_values(gained[runs], lost[runs], n, MARGIN)
            runs = runs[(n_tests * p_difference < LEVEL) | (n_tests * p_kept < LEVEL / 2)]
            if not runs.size:
                continue
        look = plain_look(gained[runs], lost[runs], n, MARGIN, LEVEL)
        if n == looks[-1]:
            look = plain_end(look, gained[runs], lost[runs], n)
        found = verdicts(look, n_tests * look.p_difference, n_tests * look.p_non_inferiority)
        settle(ended, is_open, runs, n, look, found, MARGIN, is_last=n == looks[-1])
        if not is_open.any():
            break
    return Ended(**ended)


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
        row.false > most + 2 * error(row.false, improved.size)
        or row.covered < 1 - LEVEL - 2 * error(row.covered, improved.size)
        or row.contradicted > 0
        or (what == "plain, every 100" and n == 10_000 and n_tests == 11
            and row.items > MOST_ITEMS.get((discordance, difference), n))
    )  # fmt: skip
    return replace(row, status="MISSED" if missed else "ok")


def error(rate: float, n_runs: int) -> float:
    """Standard error of a simulated rate."""
    return float(np.sqrt(max(rate * (1 - rate), 1 / n_runs) / n_runs))


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


def passage_runs(
    n_clusters: int, size: int, icc: float, graded: bool, discordance: float, difference: float, n_runs: int,
    rng: np.random.Generator,
) -> Ended:  # fmt: skip
    """Ask samples of passages; items copy their passage's common draw with probability √ICC."""
    up, down = (discordance + difference) / 2, (discordance - difference) / 2
    common = rng.random((n_runs, n_clusters, 1))
    own = rng.random((n_runs, n_clusters, size))
    uniform = np.where(rng.random(own.shape) < np.sqrt(icc), common, own).reshape(n_runs, -1)
    values = (uniform < up).astype(np.float32) - (uniform > 1 - down)
    if graded:
        values *= rng.integers(1, 5, size=values.shape) / np.float32(4)  # changes by 0.625 on average
    scale = 0.625 if graded else 1.0
    margin, n = MARGIN * scale, n_clusters * size
    ended: dict[str, Floats] = {each.name: np.zeros(n_runs) for each in fields(Ended)}
    is_open = np.ones(n_runs, dtype=bool)
    for n_asked in [*range(max(30, 400 // size), n_clusters, max(30, 400 // size)), n_clusters]:
        runs, items = np.flatnonzero(is_open), n_asked * size
        design = Design.of(np.zeros(items, dtype=int), np.arange(items) // size)
        asked = values[runs, :items]
        found = paired_difference(asked, design)
        progress = Progress(items / n, items, n_asked, np.count_nonzero(asked, axis=1))
        look = boundary_look(
            found.up, found.down, found.effective_size, found.df, progress, margin, LEVEL,
            cautious_size=found.cautious_size,
        )  # fmt: skip
        if n_asked == n_clusters:
            nothing = np.zeros_like(found.up)
            look = _with_end(look, nothing, found.up, found.down, found.effective_size, margin)
        verdict = verdicts(look, look.p_difference, look.p_non_inferiority)
        settle(ended, is_open, runs, items, look, verdict, margin, is_last=n_asked == n_clusters)
        if not is_open.any():
            break
    return Ended(**{**ended, "low": ended["low"] / scale, "high": ended["high"] / scale})


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
        status = "MISSED" if rate > most + 2 * error(rate, n_runs) else "ok"
        yield Row(f"{what}, tasks", n, 11, discordance, truth, float(asked.mean()), 0, 0, 0, rate, 1, 0, status)
        yield row_of(f"{what}, suite", n, 1, discordance, truth, suite, SUITE_MARGIN)


def model_runs(
    discordance: float, truths: Floats, n_runs: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_], Ended]:
    """Items asked in all, whether any task was judged falsely, and how the suite ended."""
    sizes = np.array(SUITE_SIZES)
    shape = (n_runs, sizes.size)
    gained, lost, asked = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    p_difference, p_kept = np.ones(shape), np.ones(shape)
    is_open, wrong, suite_open = np.ones(shape, dtype=bool), np.zeros(n_runs, dtype=bool), np.ones(n_runs, dtype=bool)
    ended: dict[str, Floats] = {each.name: np.zeros(n_runs) for each in fields(Ended)}
    for reach in round_sizes(int(sizes.max())):
        wanted = is_open | (~is_open.any(axis=1) & suite_open)[:, None]
        wanted &= asked < sizes
        if not wanted.any():
            break
        clear = np.zeros(shape, dtype=bool)
        for task, n in enumerate(sizes):
            runs, now = np.flatnonzero(wanted[:, task]), min(reach, n)
            chances = [(discordance + truths[task]) / 2, (discordance - truths[task]) / 2, 1 - discordance]
            drawn = rng.multinomial((now - asked[runs, task]).astype(int), chances)
            gained[runs, task] += drawn[:, 0]
            lost[runs, task] += drawn[:, 1]
            asked[runs, task] = now
            runs = runs[is_open[runs, task]]
            if not runs.size:
                continue
            look = plain_look(gained[runs, task], lost[runs, task], now, MARGIN, LEVEL)
            if now == n:
                look = plain_end(look, gained[runs, task], lost[runs, task], n)
            p_difference[runs, task], p_kept[runs, task] = look.p_difference, look.p_non_inferiority
            clear[runs, task] = is_clear_loss(look, MARGIN)
        value = (gained - lost) / asked
        differs, kept = holm_rejects(p_difference, LEVEL), holm_rejects(p_kept, LEVEL / 2)
        improved, degraded = differs & (value > 0), differs & (value < 0) & ~kept
        ends = is_open & (improved | kept | (degraded & clear) | (asked == sizes))
        false = (improved & (truths <= 0)) | (degraded & (truths >= 0)) | (kept & ~improved & (truths <= -MARGIN))
        wrong |= (false & ends).any(axis=1)
        is_open &= ~ends
        runs = np.flatnonzero(suite_open)
        if runs.size:
            at = asked[runs]
            look = suite_look(gained[runs], lost[runs], at, sizes)
            whole = (at == sizes).all(axis=1)
            for is_last in (False, True):
                chosen = whole == is_last
                part = Look(*(np.asarray(getattr(look[is_last], each.name))[chosen] for each in fields(Look)))
                found = verdicts(part, part.p_difference, part.p_non_inferiority)
                settle(
                    ended, suite_open, runs[chosen], at[chosen].sum(axis=1), part, found, SUITE_MARGIN, is_last=is_last
                )
    return asked.sum(axis=1), wrong, Ended(**ended)


def suite_look(gained: Floats, lost: Floats, asked: Floats, sizes: NDArray[np.int64]) -> tuple[Look, Look]:
    """Looks at the macro-average of plain tasks, by looking alone and with the tests at the end."""
    rows, columns = gained / asked, lost / asked
    up, down = rows.mean(axis=1), columns.mean(axis=1)
    variance = ((rows + columns - (rows - columns) ** 2) / asked).sum(axis=1) / sizes.size**2
    spread = np.maximum(up + down - (up - down) ** 2, 1e-12)
    untouched = sizes.size**2 / np.sum(1 / asked, axis=1)
    size = np.where(variance > 0, spread / np.maximum(variance, 1e-12), untouched)
    n, differing = asked.sum(axis=1), (gained + lost).sum(axis=1)
    progress = Progress(np.sum(1 / sizes) / np.sum(1 / asked, axis=1), n, n, differing)
    look = boundary_look(up, down, size, n - sizes.size, progress, SUITE_MARGIN, LEVEL)
    return look, _with_end(look, np.zeros_like(up), up, down, size, SUITE_MARGIN)


def holm_rejects(p_values: Floats, level: float) -> NDArray[np.bool_]:
    """What Holm's procedure rejects in every row."""
    order = np.argsort(p_values, axis=1)
    n = p_values.shape[1]
    passes = np.take_along_axis(p_values, order, axis=1) * np.arange(n, 0, -1) < level
    rejected = np.logical_and.accumulate(passes, axis=1)
    result = np.zeros_like(rejected)
    np.put_along_axis(result, order, rejected, axis=1)
    return result


SECTIONS: tuple[tuple[Callable[[int, int], Iterator[Row]], int], ...] = (
    (plain_rows, 10_000),
    (run_rows, 4000),
    (passage_rows, 1000),
)
"""What is simulated, and the most replications that it is given."""


def sequential_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """All lines."""
    for section, most in SECTIONS:
        yield from section(min(n_replications, most), seed)


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


def simulate(options: argparse.Namespace) -> int:
    """Simulate, print, and say by the exit code whether every goal was met."""
    n_replications = min(options.replications, QUICK) if options.quick else options.replications
    started, missed = time.process_time(), 0
    if not options.json:
        print(HEADING)
    for row in sequential_rows(n_replications, options.seed):
        missed += row.status == "MISSED"
        print(json.dumps(asdict(row)) if options.json else line(row), flush=True)
    if not options.json:
        print(f"{n_replications} replications, {time.process_time() - started:.0f} s of CPU, {missed} goals missed")
    return int(missed > 0 and not options.quick)


def main() -> int:
    """Read what is asked for, and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK} replications at most: shows the form, proves nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_write(parser)
    return printed(parser.parse_args(), simulate, "coverage_sequential")


if __name__ == "__main__":
    sys.exit(main())
