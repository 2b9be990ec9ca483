"""What `--sequential` costs in items, and how often it errs, with a look after every batch.

    python benchmarks/coverage_sequential.py           10,000 replications: about 4 minutes of one core
    python benchmarks/coverage_sequential.py --quick   a few seconds, to see that it works
    python benchmarks/coverage_sequential.py --json    one JSON object a line instead of the table

A sample is asked batch by batch until its verdict is settled or all items are there. A verdict errs where it says
improved or degraded of models that do not differ, or preserved of a loss of exactly the margin, 2 points (the suite:
1). Exit code 1 when a goal is missed, beyond two standard errors of the simulation:

- false differences at most 5 %, false `preserved` at most 2.5 %, at whatever look; the same of any of eleven tasks
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


def rounds(n: int) -> list[int]:
    """Numbers of items after each round of a run, as the line asks them."""
    sizes = [200]
    while sizes[-1] < n:
        sizes.append(sizes[-1] * 3 // 2)
    return [min(size, n) for size in sizes]


def verdicts(look: Look, p_difference: Floats, p_kept: Floats) -> tuple[NDArray[np.bool_], ...]:
    """Improved, preserved, degraded: the first that holds, of adjusted p-values."""
    differs, kept = p_difference < LEVEL, p_kept < LEVEL / 2
    improved = differs & (look.value > 0)
    return improved, kept & ~improved, differs & (look.value < 0) & ~kept & ~improved


def settle(
    ended: dict[str, Floats],
    is_open: NDArray[np.bool_],
    runs: NDArray[np.int64],
    n_items: int,
    look: Look,
    found: tuple[NDArray[np.bool_], ...],
    margin: float,
    *,
    is_last: bool,
) -> None:
    """Note how the samples ended that ask no further, and close them."""
    stops = found[0] | found[1] | (found[2] & is_clear_loss(look, margin)) | is_last
    columns = (np.full(runs.size, n_items), *found, look.low, look.high)
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
    elif difference <= -margin:
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
                yield _plain_row("plain, by rounds", rounds(10_000), 11, discordance, difference, n_runs, seed)


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
        look = boundary_look(found.up, found.down, found.effective_size, found.df, progress, margin, LEVEL)
        if n_asked == n_clusters:
            nothing = np.zeros_like(found.up)
            look = _with_end(look, nothing, found.up, found.down, found.effective_size, margin)
        verdict = verdicts(look, look.p_difference, look.p_non_inferiority)
        settle(ended, is_open, runs, items, look, verdict, margin, is_last=n_asked == n_clusters)
        if not is_open.any():
            break
    return Ended(**{**ended, "low": ended["low"] / scale, "high": ended["high"] / scale})


def family_rows(n_runs: int, seed: int) -> Iterator[Row]:
    """Eleven plain tasks of the suite's sizes at once, Holm over all of them at every round: any false verdict."""
    sizes = (14_042, 10_042, 9536, 6511, 4500, 2376, 1319, 1267, 1172, 1045, 362)
    for difference in (0.0, -MARGIN):
        rng = seeded(seed, "family", difference)
        items, false = [], []
        for start in range(0, n_runs, 1000):
            asked, wrong = family_runs(sizes, 0.05, difference, min(1000, n_runs - start), rng)
            items.append(asked)
            false.append(wrong)
        rate, n = float(np.concatenate(false).mean()), sum(sizes)
        most = LEVEL if difference == 0 else LEVEL / 2
        status = "MISSED" if rate > most + 2 * error(rate, n_runs) else "ok"
        asked = float(np.concatenate(items).mean())
        yield Row("11 tasks, any false", n, 11, 0.05, difference, asked, 0, 0, 0, rate, 1, 0, status)


def family_runs(
    sizes: tuple[int, ...], discordance: float, difference: float, n_runs: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Items asked in all, and whether any task was judged falsely."""
    shape = (n_runs, len(sizes))
    chances = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    gained, lost, asked = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    p_difference, p_kept = np.ones(shape), np.ones(shape)
    is_open, wrong = np.ones(shape, dtype=bool), np.zeros(n_runs, dtype=bool)
    for reach in rounds(max(sizes)):
        clear = np.zeros(shape, dtype=bool)
        value = np.zeros(shape)
        for task, n in enumerate(sizes):
            runs, now = np.flatnonzero(is_open[:, task]), min(reach, n)
            if not runs.size:
                continue
            drawn = rng.multinomial(now - int(asked[runs[0], task]), chances, size=runs.size)
            gained[runs, task] += drawn[:, 0]
            lost[runs, task] += drawn[:, 1]
            asked[runs, task] = now
            look = plain_look(gained[runs, task], lost[runs, task], now, MARGIN, LEVEL)
            if now == n:
                look = plain_end(look, gained[runs, task], lost[runs, task], n)
            p_difference[runs, task], p_kept[runs, task] = look.p_difference, look.p_non_inferiority
            value[runs, task], clear[runs, task] = look.value, is_clear_loss(look, MARGIN)
        differs, kept = holm_rejects(p_difference, LEVEL), holm_rejects(p_kept, LEVEL / 2)
        improved = differs & (value > 0)
        degraded = differs & (value < 0) & ~kept
        stops = is_open & (improved | kept | (degraded & clear))
        ends = stops | (is_open & (asked == np.array(sizes)))
        false = improved | degraded if difference == 0 else improved | kept
        wrong |= (false & ends).any(axis=1)
        is_open &= ~ends
        if not is_open.any():
            break
    return asked.sum(axis=1), wrong


def holm_rejects(p_values: Floats, level: float) -> NDArray[np.bool_]:
    """What Holm's procedure rejects in every row."""
    order = np.argsort(p_values, axis=1)
    n = p_values.shape[1]
    passes = np.take_along_axis(p_values, order, axis=1) * np.arange(n, 0, -1) < level
    rejected = np.logical_and.accumulate(passes, axis=1)
    result = np.zeros_like(rejected)
    np.put_along_axis(result, order, rejected, axis=1)
    return result


def suite_rows(n_runs: int, seed: int) -> Iterator[Row]:
    """The macro-average of eleven plain tasks by the boundary, all of them asked until it is decided."""
    sizes = np.array((14_042, 10_042, 9536, 6511, 4500, 2376, 1319, 1267, 1172, 1045, 362))
    for discordance in (0.05, 0.1):
        for difference in (0.0, -SUITE_MARGIN, -0.02, -0.05):
            rng = seeded(seed, "suite", discordance, difference)
            parts = [
                suite_runs(sizes, discordance, difference, min(2000, n_runs - start), rng)
                for start in range(0, n_runs, 2000)
            ]
            yield row_of("suite", int(sizes.sum()), 1, discordance, difference, Ended.joined(parts), SUITE_MARGIN)


def suite_runs(
    sizes: NDArray[np.int64], discordance: float, difference: float, n_runs: int, rng: np.random.Generator
) -> Ended:
    """Ask every task of samples of a suite until the suite's verdict is settled."""
    chances = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    gained, lost, before = np.zeros((n_runs, sizes.size)), np.zeros((n_runs, sizes.size)), np.zeros_like(sizes)
    ended: dict[str, Floats] = {each.name: np.zeros(n_runs) for each in fields(Ended)}
    is_open = np.ones(n_runs, dtype=bool)
    for reach in rounds(int(sizes.max())):
        runs, now = np.flatnonzero(is_open), np.minimum(reach, sizes)
        drawn = np.stack([rng.multinomial(new, chances, size=runs.size) for new in now - before], axis=1)
        gained[runs] += drawn[..., 0]
        lost[runs] += drawn[..., 1]
        before = now
        rows, columns = gained[runs] / now, lost[runs] / now
        up, down = rows.mean(axis=1), columns.mean(axis=1)
        variance = ((rows + columns - (rows - columns) ** 2) / now).sum(axis=1) / sizes.size**2
        spread = np.maximum(up + down - (up - down) ** 2, 1e-12)
        untouched = sizes.size**2 / np.sum(1 / now)
        size = np.where(variance > 0, spread / np.maximum(variance, 1e-12), untouched)
        share = np.sum(1 / sizes) / np.sum(1 / now)
        differing = (gained[runs] + lost[runs]).sum(axis=1)
        progress = Progress(share, now.sum(), now.sum(), differing)
        look = boundary_look(up, down, size, np.full_like(up, now.sum() - sizes.size), progress, SUITE_MARGIN, LEVEL)
        is_last = reach >= sizes.max()
        if is_last:
            look = _with_end(look, np.zeros_like(up), up, down, size, SUITE_MARGIN)
        found = verdicts(look, look.p_difference, look.p_non_inferiority)
        settle(ended, is_open, runs, int(now.sum()), look, found, SUITE_MARGIN, is_last=is_last)
        if not is_open.any():
            break
    return Ended(**ended)


SECTIONS: tuple[tuple[Callable[[int, int], Iterator[Row]], int], ...] = (
    (plain_rows, 10_000),
    (family_rows, 4000),
    (suite_rows, 10_000),
    (passage_rows, 1000),
)
"""What is simulated, and the most replications that it is given."""


def sequential_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """All lines."""
    for section, most in SECTIONS:
        yield from section(min(n_replications, most), seed)


HEADING = (
    f"{'what':20s} {'n':>6s} {'tests':>5s} {'differ':>6s} {'truth':>6s}   {'items':>7s} {'saved':>5s}"
    f"   {'impr.':>5s} {'pres.':>5s} {'degr.':>5s}   {'false':>6s} {'covered':>7s}"
)


def line(row: Row) -> str:
    """A row of the table; shares in percent."""
    return (
        f"{row.what:20s} {row.n:6d} {row.n_tests:5d} {100 * row.discordance:6.0f} {100 * row.difference:+6.0f}   "
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
