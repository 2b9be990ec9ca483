"""The rounds of a run's items: which item is asked in which, and how many were asked after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.selection import Selection
from mplus_eval.capability.subtask import Subtask
from mplus_eval.statistics.rounds import rounds_of


@dataclass(frozen=True, eq=False)
class Rounds:
    """By task, the round in which every item is asked, from 0."""

    of_items: Mapping[str, Mapping[str, int]]

    @classmethod
    def drawn(cls, tasks: Mapping[str, LoadedTask], selection: Selection, seed: int) -> Self:
        """Draw the order of the selected documents of loaded tasks."""
        of_items: dict[str, dict[str, int]] = {}
        for name, task in tasks.items():
            chosen = selection.of_task(task)
            clusters = {each.name: _clusters(each, chosen[each.name]) for each in task.subtasks}
            drawn = rounds_of(clusters, f"{seed} {name}")
            of_items[name] = {
                each.item_id(number): of
                for each in task.subtasks
                for number, of in zip(chosen[each.name], drawn[each.name], strict=True)
            }
        return cls(of_items)

    @cached_property
    def sizes(self) -> Mapping[str, list[int]]:
        """By task, how many items have been asked after each round."""
        return {task: np.cumsum(np.bincount(list(of.values()))).tolist() for task, of in self.of_items.items()}

    def last(self, task: str) -> int:
        """The last round of a task."""
        return len(self.sizes[task]) - 1

    def n_asked(self, task: str, number: int) -> int:
        """How many items of a task have been asked after a round."""
        return self.sizes[task][min(number, self.last(task))]

    def share(self, task: str, number: int) -> float:
        """The same as a share; exactly 1 from the last round on."""
        return self.n_asked(task, number) / self.sizes[task][-1]

    def until(self, task: str, outcomes: pd.DataFrame, number: int) -> pd.DataFrame:
        """The outcomes that were there after a round."""
        return outcomes[outcomes["item_id"].map(self.of_items[task]) <= number]

    def reached(self, task: str, outcomes: pd.DataFrame) -> int:
        """The last round that outcomes are of; −1 where there are none."""
        return int(outcomes["item_id"].map(self.of_items[task]).max()) if len(outcomes) else -1


def _clusters(subtask: Subtask, numbers: Sequence[int]) -> list[str | None]:
    """The cluster of each document; none is read where the suite names none."""
    if subtask.cluster is None and subtask.same_question is None:
        return [None] * len(numbers)
    clusters = subtask.clusters
    return [clusters[number] for number in numbers]
