"""From a task's name to the configurations of its subtasks, by lm-eval's own reading of YAML, groups and tags.

No data is touched, so datasets can be looked for, or fetched, before anything is loaded.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mplus_eval.backends.lm_eval_private import Entry, Kind, OpenTaskFactory, TaskIndex, load_yaml
from mplus_eval.capability.definitions import Definition, local_definitions, stock_definitions
from mplus_eval.capability.foreign_code import refuse_foreign_code
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import STOCK_PREFIX
from mplus_eval.store.hashes import hash_text


@dataclass(frozen=True)
class SubtaskConfig:
    """The resolved configuration of one subtask, and the folder that its relative paths start from."""

    name: str
    config: Mapping[str, Any]
    folder: Path | None

    def definition_hash(self, shots: int) -> str:
        """Hash of what is asked and how: the same on every machine, changed by any template, function or filter."""
        definition = {key: value for key, value in self.config.items() if key not in ("metadata", "num_fewshot")}
        version = (self.config.get("metadata") or {}).get("version")
        return hash_text(json.dumps([_plain(definition), str(version), shots], sort_keys=True))


@dataclass(frozen=True)
class GroupAverage:
    """What a group says of one metric: that its value is the average of all its subtasks', and how they count.

    Attributes:
        filters: those that it is of; None for every one.
        by_size: whether subtasks count by their items, rather than all alike.
    """

    metric: str
    filters: tuple[str, ...] | None
    by_size: bool


def by_size(averages: Sequence[GroupAverage], metric: str, filter_name: str) -> bool | None:
    """Whether subtasks count by their items in the value of a group; None where lm-eval gives it no value."""
    own = [each for each in averages if each.metric == metric and (each.filters is None or filter_name in each.filters)]
    # The last one stands, as in lm-eval.
    return own[-1].by_size if own else None


def subtask_configs(name: str, tasks_dir: Path | None) -> list[SubtaskConfig]:
    """Resolve a task, group, tag or YAML file to its subtasks; see `resolved`."""
    return resolved(name, tasks_dir)[0]


def resolved(name: str, tasks_dir: Path | None) -> tuple[list[SubtaskConfig], tuple[GroupAverage, ...]]:
    """Resolve a task, group, tag or YAML file to its subtasks, and to what a group says of their average.

    A group within the group says nothing of that: lm-eval averages over the subtasks of all levels at once.

    Args:
        name: a name of this package's or the user's definitions, or lm-eval's; with `lm_eval:` before it, only
            lm-eval's; or the path of a YAML file.
        tasks_dir: the user's folder of definitions.

    Raises:
        UsageError: when the name is unknown, a group names what does not exist, or nothing is loaded.
    """
    registry = _Registry({} if name.startswith(STOCK_PREFIX) else local_definitions(tasks_dir))
    collector = _Collector(tasks_dir)
    plain = name.removeprefix(STOCK_PREFIX)
    entry: Entry | None = None
    if plain.endswith((".yaml", ".yml")):
        entry = TaskIndex.entry_from_path(Path(plain))
    elif plain in registry:
        entry = registry[plain]
    if entry is None:
        raise UsageError(f"{plain!r} is neither a task, group or tag of lm-eval, nor a YAML file")
    if entry.yaml_path is not None:
        refuse_foreign_code(entry.yaml_path, tasks_dir)
    built = collector.build(entry, overrides=None, registry=registry)
    if not collector.configs:
        raise UsageError(f"{name!r} names no task that lm-eval can load")
    averages = tuple(
        GroupAverage(each.metric, each.filter_list and tuple(each.filter_list), bool(each.weight_by_size))
        for each in getattr(built, "aggregate_metric_list", None) or ()
    )
    return list(collector.configs.values()), averages


class _Registry(dict[str, Entry]):
    """Entries by name; lm-eval's own are read only when a name is none of the local ones, since that takes longer."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        super().__init__({name: _as_entry(definition) for name, definition in definitions.items()})

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in stock_definitions()

    def __missing__(self, name: str) -> Entry:
        return _as_entry(stock_definitions()[name])


def _as_entry(definition: Definition) -> Entry:
    return Entry(definition.name, Kind[definition.kind.upper()], definition.path, tags=set(definition.members))


class _Collector(OpenTaskFactory):
    """lm-eval's factory, except that a subtask's configuration is kept instead of its data loaded."""

    def __init__(self, tasks_dir: Path | None) -> None:
        super().__init__()
        self._tasks_dir = tasks_dir
        self.configs: dict[str, SubtaskConfig] = {}

    def build_task(self, entry: Entry, overrides: Mapping[str, object] | None) -> object:
        """Keep the configuration of a subtask.

        Raises:
            UsageError: the task runs what a model wrote, or code from a folder that nobody named; it is refused before
                any of its own code is imported.
        """
        if entry.yaml_path is not None:
            refuse_foreign_code(entry.yaml_path, self._tasks_dir)
        own = load_yaml(entry.yaml_path, resolve_func=False) if entry.yaml_path else entry.cfg or {}
        if own.get("unsafe_code"):
            raise UsageError(f"{entry.name} runs code that a model wrote, which is refused")
        config = self.full_config(entry, overrides)
        folder = entry.yaml_path.resolve().parent if entry.yaml_path else None
        config = {key: value for key, value in config.items() if key not in ("tag", "group", "task_list")}
        self.configs[config["task"]] = SubtaskConfig(config["task"], config, folder)
        return SimpleNamespace(task_name=config["task"])

    def build_group(
        self,
        name: str,
        config: Mapping[str, object],
        overrides: Mapping[str, object] | None,
        registry: dict[str, Entry],
    ) -> object:
        """Keep the configurations of a group's subtasks, those that are written out in it among them."""
        task = config.get("task") or []
        members = [task] if isinstance(task, str) else list(cast("Iterable[object]", task))
        for member in members:
            if isinstance(member, dict) and "group" in member:
                continue
            own_name = member.get("task") if isinstance(member, dict) else member
            if not isinstance(own_name, str) or own_name in registry:
                continue
            if not isinstance(member, dict) or len(member) == 1:
                raise UsageError(f"group {name!r} names the task {own_name!r}, which does not exist")
            # Written out in the group's own list: lm-eval would load its data at once, were it not known by name.
            registry[own_name] = Entry(own_name, Kind.TASK, None, cfg=member)
        return super().build_group(name, {**config, "task": members}, overrides, registry)


def _plain(value: object) -> object:
    """A configuration as JSON can hold it; a function is its name and the source of the file it stands in."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, functools.partial):
        return ["partial", _plain(value.func), _plain(value.args), _plain(value.keywords)]
    if callable(value):
        target = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
        try:
            file = inspect.getsourcefile(target)
        except TypeError:
            file = None
        # The whole file, since a function may call its neighbours.
        source = Path(file).read_text(encoding="utf-8") if file else "built in"
        return [getattr(value, "__qualname__", type(value).__qualname__), source]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
