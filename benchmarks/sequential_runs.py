"""Simulated runs of `--sequential`: samples that are asked batch by batch until their verdict is settled."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

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
SUITE_SIZES = (14_042, 10_042, 9536, 6511, 4500, 2376, 1319, 1267, 1172, 1045, 362)


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
