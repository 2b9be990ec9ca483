"""Which tasks of stored results are compared, by what name and metric, with the items of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mplus_eval.capability.settings import path_name
from mplus_eval.capability.stored_items import RefusedTaskError, StoredItems
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.importers.base import StoredRun, StoredTask
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.suite import Suite, SuiteTask

_Tasks = dict[str, tuple[SuiteTask, StoredTask]]
"""The tasks of one model by the names of the report, with what the suite says of them."""


@dataclass(frozen=True)
class StoredTasks:
    """The tasks of all models whose results are stored, before it is said which can be compared.

    Attributes:
        specs: what the suite says of each, by name.
        items: by model and task.
        refused: why a model has none, by model and task.
        lines: what is to be said.
    """

    specs: Mapping[str, SuiteTask]
    items: Mapping[tuple[str, str], StoredItems]
    refused: Mapping[tuple[str, str], str]
    lines: tuple[str, ...]

    def of_task(self, task: str) -> dict[str, StoredItems]:
        """The items of every model that has the task, by model."""
        return {model: items for (model, name), items in self.items.items() if name == task}

    def refused_on(self, task: str) -> dict[str, str]:
        """Why a model has no items of a task, by model."""
        return {model: why for (model, name), why in self.refused.items() if name == task}


def stored_tasks(
    runs: Mapping[str, StoredRun],
    suite: Suite,
    wanted: Sequence[str] | None,
    *,
    suite_alone: bool,
) -> StoredTasks:
    """Read the items of every task that is compared.

    Args:
        runs: by model, the one first that says what the others must have alike.
        suite: whose tasks have metric, clusters and margins; others are compared by the tool's first metric.
        wanted: names of tasks, the suite's or the tools'; all of the first model when None.
        suite_alone: whether tasks that the suite does not have are left out.

    Raises:
        SpecError: with every file that is damaged, and every name that is unknown.
    """
    by_model = {model: _by_name(run, suite) for model, run in runs.items()}
    leader, first = next(iter(by_model.items()))
    specs = _in_order({name: spec for name, (spec, _) in first.items()}, suite, wanted, suite_alone=suite_alone)
    lines = [f"{model}: {note}" for model, run in runs.items() for note in run.notes]
    for model, tasks in by_model.items():
        if wanted is None and (more := [name for name in tasks if name not in first]):
            lines.append(f"{model}: {', '.join(more)}: left out, since {leader} has no results of it")
    items: dict[tuple[str, str], StoredItems] = {}
    refused: dict[tuple[str, str], str] = {}
    faults = []
    for name, spec in specs.items():
        for model, tasks in by_model.items():
            try:
                items[model, name] = _items_of(tasks, name, spec, strict=runs[model].lm_eval)
            except RefusedTaskError as error:
                refused[model, name] = str(error)
            except UsageError as error:
                faults.append(f"model {model!r}: {error}")
    if faults:
        raise SpecError(faults)
    gone = [name for name in specs if not any(task == name for _, task in items)]
    told = [f"{name}: refused for every model: {refused[leader, name]}" for name in gone]
    if len(gone) == len(specs):
        raise SpecError(told)
    specs = {name: spec for name, spec in specs.items() if name not in gone}
    return StoredTasks(specs, items, refused, (*lines, *told))


def _items_of(
    tasks: Mapping[str, tuple[SuiteTask, StoredTask]], name: str, spec: SuiteTask, *, strict: bool
) -> StoredItems:
    if name not in tasks:
        raise RefusedTaskError("no results of it are stored")
    return StoredItems.of(tasks[name][1], spec, strict=strict)


def _in_order(
    specs: Mapping[str, SuiteTask], suite: Suite, wanted: Sequence[str] | None, *, suite_alone: bool
) -> dict[str, SuiteTask]:
    """The tasks that are compared: the suite's in its order, then others; or those named."""
    if wanted is not None:
        return _wanted(specs, wanted)
    own = {task.name: specs[task.name] for task in suite.tasks if task.name in specs}
    if suite_alone and not own:
        raise SpecError([f"suite {suite.name!r}: no results of its tasks are stored, but of {', '.join(specs)}"])
    return own if suite_alone else {**own, **specs}


def _by_name(run: StoredRun, suite: Suite) -> _Tasks:
    """The tasks of one model by the names of the report."""
    found: _Tasks = {}
    for task in run.tasks:
        spec = next((each for each in suite.tasks if each.lm_eval == task.name), None)
        spec = spec or next((each for each in suite.tasks if each.name == task.name), None)
        spec = spec or SuiteTask(name=path_name(task.name), lm_eval=task.name)
        if spec.name in found:
            raise SpecError(
                [f"tasks {found[spec.name][1].name!r} and {task.name!r} would both be called {spec.name!r}"]
            )
        found[spec.name] = (spec, task)
    return found


def _wanted(specs: Mapping[str, SuiteTask], names: Sequence[str]) -> dict[str, SuiteTask]:
    by_any = {spec.lm_eval: name for name, spec in specs.items()} | {name: name for name in specs}
    unknown = [name for name in names if name not in by_any]
    if unknown:
        raise SpecError(
            f"--tasks {name!r}: no results of it are stored; {nearest(name, list(specs))}" for name in unknown
        )
    return {by_any[name]: specs[by_any[name]] for name in names}
