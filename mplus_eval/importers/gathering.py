"""Items of tools that store several tasks in one file, gathered by task and subtask; none may stand twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from mplus_eval.errors import UsageError
from mplus_eval.importers.base import Kind, StoredItem, StoredMetric, StoredSubtask, StoredTask


@dataclass
class _Task:
    """What is told of one task besides its items."""

    items: dict[str, dict[tuple[str, int], StoredItem]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    better: dict[str, bool] = field(default_factory=dict)
    """By metric, whether more of it is better; it is where nothing is told."""
    rounded: bool = False
    kind: Kind = "generation"


@dataclass
class Gathered:
    """The tasks of one model as their items are met."""

    by_task: dict[str, _Task] = field(default_factory=dict)
    places: dict[tuple[str, str, str, int], str] = field(default_factory=dict)

    def add(self, task: str, item: StoredItem, where: str, files: Mapping[str, str]) -> None:
        """Take one item.

        Args:
            task: that it belongs to; its outcome says to which stratum of it.
            item: the item.
            where: it stands, for messages.
            files: the file that it stands in, with its hash.

        Raises:
            UsageError: the item stands twice.
        """
        stratum, sample = item.outcome.stratum, item.outcome.sample
        place = (task, stratum, item.key, sample)
        if place in self.places:
            raise UsageError(f"{where}: item {item.label!r} of {task} stands twice, first in {self.places[place]}")
        self.places[place] = where
        own = self.of(task)
        own.items.setdefault(stratum, {})[item.key, sample] = item
        own.files.update(files)

    def of(self, task: str) -> _Task:
        """What is gathered of a task, to be added to."""
        return self.by_task.setdefault(task, _Task())

    def tasks(self) -> tuple[StoredTask, ...]:
        """All of it."""
        return tuple(_stored(name, task) for name, task in self.by_task.items() if task.items)


def _stored(name: str, task: _Task) -> StoredTask:
    """One task; its metrics are those that any item has, in the order in which they are met."""
    items = [item for of_stratum in task.items.values() for item in of_stratum.values()]
    keys = dict.fromkeys(key for item in items for key in item.outcome.metrics or ())
    names = dict.fromkeys(key.rpartition(",")[0] for key in keys)
    metrics = {metric: StoredMetric(higher_is_better=task.better.get(metric, True)) for metric in names}
    subtasks = tuple(
        StoredSubtask(stratum, task.settings, task.kind, partial(_again, of_stratum), dict(task.files))
        for stratum, of_stratum in task.items.items()
    )
    return StoredTask(
        name=name,
        subtasks=subtasks,
        metrics=metrics,
        filters=("none",),
        values=dict(task.values),
        rounded=task.rounded,
        version=task.settings.get("version", ""),
    )


def _again(items: Mapping[tuple[str, int], StoredItem]) -> Iterator[StoredItem]:
    return iter(items.values())
