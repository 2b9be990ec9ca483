"""How many items a suite's verdict takes: with `--sequential`, simulated, and by a plan that knows the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mplus_eval.statistics.allocation import allocate
from mplus_eval.statistics.exact_power import shares
from mplus_eval.statistics.rounds import round_sizes
from mplus_eval.statistics.sequential import Progress, boundary_look, is_clear_loss

RUNS = 1000
POWER = 0.8


@dataclass(frozen=True)
class Settled:
    """The mean over runs: items of each task, and the share of runs that were settled before the items ended."""

    items: tuple[float, ...]
    early: float


def settled(
    sizes: Sequence[int], discordance: Sequence[float], loss: float, margin: float, level: float, seed: int = 0
) -> Settled:
    """Ask all tasks round by round until the suite is settled; tasks that are settled before go on with it.

    Args:
        sizes: items of every task, independent ones scored 0 or 1.
        discordance: share of items that differ where nothing is lost, by task.
        loss: the true one, alike in all tasks.
        margin: of the suite.
        level: two-sided.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    rounds = [round_sizes(size) for size in sizes]
    chances = [shares(rate, loss) for rate in discordance]
    lost, gained = np.zeros((RUNS, len(sizes))), np.zeros((RUNS, len(sizes)))
    asked, is_open, early = np.zeros((RUNS, len(sizes))), np.ones(RUNS, dtype=bool), 0.0
    before = np.zeros(len(sizes), dtype=int)
    for number in range(max(map(len, rounds))):
        now = np.array([of_task[min(number, len(of_task) - 1)] for of_task in rounds])
        for place, (down, up) in enumerate(chances):
            drawn = rng.multinomial(now[place] - before[place], [down, up, 1 - down - up], size=RUNS)
            lost[:, place] += drawn[:, 0]
            gained[:, place] += drawn[:, 1]
        before = now
        asked[is_open] = now
        differ = (lost + gained) / now
        variance = (differ - ((gained - lost) / now) ** 2) / now
        up, down = (gained / now).mean(axis=1), (lost / now).mean(axis=1)
        worth = (up + down - (up - down) ** 2) * len(sizes) ** 2 / variance.sum(axis=1)
        progress = Progress(
            float(sum(1 / size for size in sizes) / (1 / now).sum()), now.sum(), now.sum(), (lost + gained).sum(axis=1)
        )
        look = boundary_look(up, down, worth, now.sum(), progress, margin, level)
        found = (look.p_difference < level) & ((look.value > 0) | is_clear_loss(look, margin))
        is_open &= ~(found | (look.p_non_inferiority < level / 2))
        if number < max(map(len, rounds)) - 1:
            early = 1 - float(is_open.mean())
    return Settled(tuple(asked.mean(axis=0)), early)


def planned(sizes: Sequence[int], discordance: Sequence[float], distance: float, level: float) -> list[int]:
    """Items of each task with which a change is told from what lies a distance away with a power of 80 %."""
    error = distance / (norm.isf(level / 2) + norm.ppf(POWER))
    low, high = len(sizes), sum(sizes)
    while low < high:
        middle = (low + high) // 2
        items = np.array(allocate(sizes, discordance, budget=middle))
        is_enough = np.sqrt((np.array(discordance) / items).sum()) / len(sizes) <= error
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return allocate(sizes, discordance, budget=low)
