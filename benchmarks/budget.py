"""How well is the suite's difference known for how many items: a limit for each subject, or a budget for all tasks?

    python benchmarks/budget.py --data DIR       sizes of all subjects from a mirror of the hub, 100,000 replications
    python benchmarks/budget.py --quick          subjects of a task as if of equal size, a few seconds

Of the suite mplus: two equally good models differ on the share of a task's items that `power` and `--budget` assume
(choice 8 %, mixed 10 %, generation 15 %), by subject between half and one and a half times that. DROP's items lie on
passages of 16, within which a difference is a common draw with probability √0.3; a drawn limit and a budget ask one of
a passage, the first items are whole passages. The standard error is that of the difference of macro-averages, in
points, by the formula and over replications. Exit code 1 when a budget of 1,500 leaves a larger one than lm-eval's
--limit 100, which are 10,200 items.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from printout import add_write, printed

from mplus_eval.spec.suite import Suite, load_suite
from mplus_eval.statistics.allocation import DISCORDANCE, LEAST_ITEMS, allocate, spread

Sizes = Mapping[str, Sequence[int]]
"""Items of every subject, by task."""

SUBJECTS = {"mmlu": 57, "agieval_en": 10, "bbh": 27}
PASSAGES = {"drop": (588, 16)}
"""How many there are, and items of each."""
ICC = 0.3
LIMITS, BUDGETS = (50, 100, 500), (750, 1500, 3000, 7000)
BUDGET, AGAINST = "--budget 1500", ("--limit first:100", "--limit 100")
"""What is held to what; the goal is lm-eval's limit, the first of each subject."""


@dataclass(frozen=True)
class Asked:
    """The items of every subject by task, and whether they are the first ones of the data."""

    option: str
    items: Sizes
    first: bool = False

    @property
    def total(self) -> int:
        """Items in all."""
        return sum(map(sum, self.items.values()))


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="a mirror of the hub, for the sizes of subjects")
    parser.add_argument("--quick", action="store_true", help="fewer replications")
    add_write(parser)
    return printed(parser.parse_args(), measure, "budget")


def measure(arguments: argparse.Namespace) -> int:
    """Simulate and print."""
    suite = load_suite("mplus")
    sizes = subject_sizes(suite, arguments.data)
    replications = 10_000 if arguments.quick else 100_000
    rng = np.random.default_rng(0)
    rates = {
        task.name: subject_rates(DISCORDANCE[task.kind or "choice"], sizes[task.name], rng) for task in suite.tasks
    }
    designs = [limited(sizes, limit, first=first) for first in (True, False) for limit in LIMITS]
    designs += [budgeted(sizes, suite, budget) for budget in BUDGETS]
    found = {asked.option: simulated(asked, rates, replications, rng) for asked in designs}
    reference = found[AGAINST[1]]
    print(_HEADING)
    for asked in designs:
        formula = standard_error(asked, rates)
        same = items_for(formula, sizes, suite, rates)
        print(
            f"{asked.option:18}{asked.total:8,}{100 * formula:13.3f}{100 * found[asked.option]:15.3f}"
            f"{found[asked.option] / reference:16.3f}{same:19,}"
        )
    by_option = {asked.option: asked for asked in designs}
    print()
    # A standard deviation over R replications is known to 1/√(2R) of itself, a ratio of two to √2 times that.
    error = 1 / replications**0.5
    ratios = {option: found[BUDGET] / found[option] for option in AGAINST}
    for option, ratio in ratios.items():
        formula = standard_error(by_option[BUDGET], rates) / standard_error(by_option[option], rates)
        print(f"{BUDGET} to {option}: {formula:.3f} by the formula, {ratio:.3f} ± {error:.3f} simulated")
    met = ratios[AGAINST[0]] <= 1 - 2 * error
    print(f"below 1 to {AGAINST[0]}: {'met' if met else 'missed'}")
    print(f"{BUDGET}: " + ", ".join(f"{name} {sum(items)}" for name, items in by_option[BUDGET].items.items()))
    return int(not met)


def subject_sizes(suite: Suite, data: Path | None) -> dict[str, list[int]]:
    """Items of every task by the suite file, and of its subjects by the data; of equal size where there are none."""
    sizes = {task.name: _equal(task.items or 0, SUBJECTS.get(task.name, 1)) for task in suite.tasks}
    if data is None:
        return sizes
    from mplus_eval.capability.items import load_tasks

    groups = [task for task in suite.tasks if task.name in SUBJECTS]
    for loaded in load_tasks(groups, data_dir=data, tasks_dir=None):
        sizes[loaded.spec.name] = [subtask.n_docs for subtask in loaded.subtasks]
    return sizes


def _equal(total: int, n: int) -> list[int]:
    return [total // n + (place < total % n) for place in range(n)]


def subject_rates(mean: float, sizes: Sequence[int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Shares of differing items by subject, whose mean over items is the task's."""
    rates = mean * rng.uniform(0.5, 1.5, len(sizes)) if len(sizes) > 1 else np.array([mean])
    adjusted: NDArray[np.float64] = rates * mean / np.average(rates, weights=sizes)
    return adjusted


def limited(sizes: Sizes, limit: int, *, first: bool) -> Asked:
    """So many of each subject."""
    items = {name: [min(size, limit) for size in subjects] for name, subjects in sizes.items()}
    return Asked(f"--limit {'first:' if first else ''}{limit}", items, first)


def budgeted(sizes: Sizes, suite: Suite, budget: int) -> Asked:
    """So many of all tasks."""
    totals = [sum(subjects) for subjects in sizes.values()]
    discordance = [DISCORDANCE[task.kind or "choice"] for task in suite.tasks]
    least = [sum(min(size, LEAST_ITEMS) for size in subjects) for subjects in sizes.values()]
    of_tasks = allocate(totals, discordance, budget=budget, least=least)
    items = {name: spread(subjects, n) for (name, subjects), n in zip(sizes.items(), of_tasks, strict=True)}
    return Asked(f"--budget {budget}", items)


def standard_error(asked: Asked, rates: Mapping[str, NDArray[np.float64]]) -> float:
    """Of the suite's difference: √(Σ q·D/n) / T, a task's items counting alike."""
    variances = []
    for task, items in asked.items.items():
        effect = 1 + ICC * (_together(asked, task) - 1)
        variances.append(effect * np.average(rates[task], weights=items) / sum(items))
    return float(np.sqrt(sum(variances)) / len(variances))


def _together(asked: Asked, task: str) -> int:
    """Items of one passage that are asked: all where they are the first of the data, else one as far as it goes."""
    if task not in PASSAGES:
        return 1
    n_passages, size = PASSAGES[task]
    return size if asked.first else -(-sum(asked.items[task]) // n_passages)


def simulated(
    asked: Asked, rates: Mapping[str, NDArray[np.float64]], replications: int, rng: np.random.Generator
) -> float:
    """The same, over replications."""
    suite = np.zeros(replications)
    for task, items in asked.items.items():
        total = np.zeros(replications)
        for n, rate in zip(items, rates[task], strict=True):
            total += differences(n, float(rate), _together(asked, task), replications, rng)
        suite += total / sum(items)
    return float(np.std(suite) / len(asked.items))


def differences(n: int, rate: float, together: int, replications: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gained minus lost of n items, those of one passage a common draw with probability √ICC each."""
    if together == 1:
        differ = rng.binomial(n, rate, replications)
        return 2.0 * rng.binomial(differ, 0.5) - differ
    total = np.zeros(replications)
    for start in range(0, n, together):
        size = min(together, n - start)
        copies = rng.binomial(size, ICC**0.5, replications)
        common = rng.choice([-1, 0, 1], p=[rate / 2, 1 - rate, rate / 2], size=replications)
        differ = rng.binomial(size - copies, rate)
        total += copies * common + 2.0 * rng.binomial(differ, 0.5) - differ
    return total


def items_for(error: float, sizes: Sizes, suite: Suite, rates: Mapping[str, NDArray[np.float64]]) -> int:
    """The smallest budget with a standard error."""
    low = sum(min(size, LEAST_ITEMS) for subjects in sizes.values() for size in subjects)
    high = sum(map(sum, sizes.values()))
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if standard_error(budgeted(sizes, suite, middle), rates) <= error else (middle + 1, high)
        )
    return low


_HEADING = (
    f"{'asked':18}{'items':>8}{'SE, formula':>13}{'SE, simulated':>15}{'to --limit 100':>16}{'same SE by budget':>19}"
)


if __name__ == "__main__":
    sys.exit(main())
