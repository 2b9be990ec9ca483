"""Which documents of each subtask a run asks: all, so many of each, or so many in all.

    --limit 100          mmlu: 57 subjects, 14,042 items → 5,700 of them
    --budget 1500        mmlu: 57 subjects, 14,042 items → 123 of them

The same documents are asked of every model. A saved step may be asked fewer: the first of the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.subtask import Subtask
from mplus_eval.errors import SpecError
from mplus_eval.spec.limit import Limit
from mplus_eval.statistics.allocation import DISCORDANCE, LEAST_ITEMS, allocate, spread

Shares = Mapping[str, int]
"""Items by subtask."""


@dataclass(frozen=True)
class Selection:
    """How many documents of each subtask are asked, and which.

    Attributes:
        shares: by task and subtask.
        seed: by which they are drawn.
        limit: most of each subtask.
        budget: of all tasks, where it is that.
    """

    shares: Mapping[str, Shares]
    seed: int = 0
    limit: Limit | None = None
    budget: int | None = None

    @classmethod
    def of(
        cls,
        tasks: Mapping[str, LoadedTask],
        limit: Limit | None,
        budget: int | None,
        seed: int,
        costs: Mapping[str, float] | None = None,
    ) -> Self:
        """Choose from loaded tasks.

        Args:
            tasks: by name.
            limit: most items of a subtask.
            budget: items of all tasks; not given together with a limit.
            seed: of the draw.
            costs: of an item by task, for a budget; that of a task which is not named is the mean of the others'.

        Raises:
            SpecError: the budget does not reach for the least of every subtask.
        """
        shares: dict[str, Shares]
        shares = {name: {each.name: each.n_docs for each in task.subtasks} for name, task in tasks.items()}
        if limit is not None:
            shares = {name: {key: min(n, limit.n) for key, n in of_task.items()} for name, of_task in shares.items()}
        elif budget is not None and tasks:
            shares = _spread(tasks, shares, budget, costs or {})
        return cls(shares, seed, limit, budget)

    def numbers(self, task: str, subtask: Subtask, of_steps: Limit | None = None) -> Sequence[int]:
        """The documents that are asked of a subtask, by number, rising.

        Args:
            task: that the subtask belongs to.
            subtask: the subtask.
            of_steps: no more than these, where a saved step is asked fewer; they are among the run's.
        """
        share, limit = self.shares[task][subtask.name], of_steps or self.limit
        seed = self.seed if limit is None else limit.drawn_by(self.seed)
        return subtask.drawn(share if of_steps is None else min(share, of_steps.n), seed)

    def built_with(self, task: str, subtask: Subtask) -> Sequence[int]:
        """The documents that prompts are built with, by number, rising: which examples stand before an item."""
        return self.numbers(task, subtask)

    def component(self, of_steps: Limit | None = None) -> str:
        """What a fingerprint says of how documents were chosen, besides the hash of those that were.

        A saved step's prompts hold the examples that they have where all of the run's documents are asked.
        """
        whole = f"a budget, drawn with seed {self.seed}" if self.budget is not None else "none"
        own = whole if self.limit is None else self.limit.component(self.seed)
        if of_steps is None or of_steps.first:
            return own if of_steps is None else of_steps.component(self.seed)
        run = f"a budget of {self.budget}" if self.budget is not None else "all" if self.limit is None else self.limit
        return f"{of_steps.n} of {run}, drawn with seed {self.seed}"

    def of_task(self, task: LoadedTask) -> dict[str, Sequence[int]]:
        """The documents of every subtask of a task."""
        return {subtask.name: self.numbers(task.spec.name, subtask) for subtask in task.subtasks}

    def fewest(self) -> int | None:
        """Items of the subtask with the fewest; None where all are asked whole."""
        if self.limit is None and self.budget is None:
            return None
        return min((n for of_task in self.shares.values() for n in of_task.values()), default=None)

    def lines(self, tasks: Mapping[str, LoadedTask]) -> Iterator[str]:
        """What will be asked, a line for each task and one for all; nothing where that is everything."""
        asked = {name: sum(of_task.values()) for name, of_task in self.shares.items()}
        n_docs = sum(task.n_docs for task in tasks.values())
        if sum(asked.values()) == n_docs:
            return
        for name, task in tasks.items():
            subjects = f"{len(task.subtasks)} subjects, " if len(task.subtasks) > 1 else ""
            yield f"{name}: {subjects}{_told(task.n_docs, asked[name])}"
        way = "the first" if self.limit and self.limit.first else f"drawn with seed {self.seed}"
        if len(tasks) > 1:
            yield f"{len(tasks)} tasks, {_told(n_docs, sum(asked.values()))}, {way}"


def _told(n_docs: int, n_asked: int) -> str:
    return f"{n_docs:,} items" + (f" → {n_asked:,} of them" if n_asked < n_docs else ", all")


def _spread(
    tasks: Mapping[str, LoadedTask], sizes: Mapping[str, Shares], budget: int, costs: Mapping[str, float]
) -> dict[str, Shares]:
    """Spread a budget over tasks for the suite's verdict, and in proportion within each.

    The design effect is 1, since no passage is asked twice where there are enough. Where a suite does not say what
    items cost, they cost the same: they are what the budget counts.
    """
    least = {name: sum(min(n, LEAST_ITEMS) for n in of_task.values()) for name, of_task in sizes.items()}
    if budget < (total := sum(least.values())):
        n_subtasks = sum(map(len, sizes.values()))
        raise SpecError(
            [f"--budget {budget}: {total} or more are accepted, {LEAST_ITEMS} items of each of {n_subtasks} subtasks"]
        )
    usual = fmean(costs.values()) if costs else 1.0
    items = allocate(
        [sum(of_task.values()) for of_task in sizes.values()],
        # A text is neither right nor wrong, and stands beside the average; such a task gets what a mixed one gets.
        [DISCORDANCE.get(task.kind, DISCORDANCE["mixed"]) for task in tasks.values()],
        cost=[costs.get(name, usual) for name in tasks],
        budget=budget,
        least=list(least.values()),
    )
    return {
        name: dict(zip(of_task, spread(list(of_task.values()), n), strict=True))
        for (name, of_task), n in zip(sizes.items(), items, strict=True)
    }
