"""The documents that models are asked here since stored results hold them, paired by lm-eval's hash of a document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.selection import Selection
from mplus_eval.capability.shared_items import Here, SharedTask
from mplus_eval.capability.subtask import Subtask
from mplus_eval.spec.limit import Limit

Numbers = Mapping[tuple[str, str], Sequence[int]]
"""Of documents, rising, by task and subtask."""


def task_here(task: LoadedTask) -> Here:
    """What a model would be asked of a task, in the words and hashes of lm-eval's results."""
    return Here(
        {subtask.name: _settings(subtask) for subtask in task.subtasks},
        {subtask.name: _numbers(subtask) for subtask in task.subtasks},
    )


def _settings(subtask: Subtask) -> dict[str, str]:
    settings = {"version": str(subtask.task.VERSION), "shots": str(subtask.n_shots)}
    if subtask.task.OUTPUT_TYPE == "generate_until":
        given = subtask.task.dump_config().get("generation_kwargs")
        settings["generation"] = json.dumps(given, sort_keys=True, ensure_ascii=False)
    return settings


def _numbers(subtask: Subtask) -> dict[str, int]:
    """Numbers of documents by their hashes; a document that stands twice is two items."""
    from lm_eval.utils import handle_non_serializable, hash_string

    met: Counter[str] = Counter()
    numbers = {}
    for number, document in enumerate(subtask.docs()):
        written = json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False)
        key = hash_string(written)
        met[key] += 1
        numbers[key if met[key] == 1 else f"{key} {met[key]}"] = number
    return numbers


@dataclass(frozen=True)
class ChosenItems(Selection):
    """The documents that all models have, and those with which the stored prompts were built."""

    asked: Numbers = field(default_factory=dict)
    built: Numbers = field(default_factory=dict)

    @classmethod
    def shared(cls, tasks: Mapping[str, SharedTask], here: Mapping[str, Here]) -> Self:
        """Choose from tasks that are shared.

        Args:
            tasks: with their items, by name.
            here: the documents that there are here.
        """
        asked, built = {}, {}
        for name, task in tasks.items():
            for subtask in task.first.subtasks:
                numbers = here[name].numbers.get(subtask, {})
                asked[name, subtask] = tuple(item.number for item in task.items[subtask] if item.key in numbers)
                built[name, subtask] = tuple(sorted(numbers[k] for k in task.first.labels(subtask) if k in numbers))
        return cls({}, asked=asked, built=built)

    def numbers(self, task: str, subtask: Subtask, of_steps: Limit | None = None) -> Sequence[int]:
        """The documents that all models have."""
        return self.asked.get((task, subtask.name), ())

    def built_with(self, task: str, subtask: Subtask) -> Sequence[int]:
        """Those that the stored results hold: lm-eval draws examples as it goes from one to the next."""
        numbers = self.built.get((task, subtask.name), ())
        # As lm-eval is told of the first ones.
        return range(len(numbers)) if tuple(numbers) == tuple(range(len(numbers))) else numbers

    def component(self, of_steps: Limit | None = None) -> str:
        """What a fingerprint says of how documents were chosen."""
        return "items that all models have"
