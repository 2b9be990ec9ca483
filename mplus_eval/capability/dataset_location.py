"""Where a task's data lies: a local mirror of the hub, files beside the definition, or the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from glob import glob
from pathlib import Path
from typing import Any, TypeAlias

from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.data.files import files_of
from mplus_eval.data.mirror import mirrored
from mplus_eval.errors import SpecError, UsageError

FILE_FORMATS = ("arrow", "csv", "json", "pandas", "parquet", "sql", "text", "webdataset", "xml")
"""Names that `datasets` takes for a file format rather than a dataset id."""

DataFiles: TypeAlias = "str | list[DataFiles] | Mapping[str, DataFiles]"
"""What `datasets` takes for `data_files`: paths or addresses, several of them, or these by split."""


def dataset_id(subtask: SubtaskConfig) -> str | None:
    """The hub id that a task's data has, or None where its files lie beside it or its own code makes them."""
    path = subtask.config.get("dataset_path")
    if not isinstance(path, str) or path in FILE_FORMATS or subtask.config.get("custom_dataset"):
        return None
    return None if _beside(subtask, path) or Path(path).is_absolute() else path


def located(subtask: SubtaskConfig, data_dir: Path | None) -> dict[str, object]:
    """A task's configuration with its data's paths made absolute, in the mirror where it is mirrored.

    Raises:
        UsageError: when a metric of the task is code on the hub.
    """
    from lm_eval.api.registry import METRIC_REGISTRY

    config: dict[str, Any] = {key: deepcopy(value) for key, value in subtask.config.items()}
    # A task that scores by its own function has no use for its list of metrics.
    for entry in (config.get("metric_list") or []) if config.get("process_results") is None else []:
        metric = entry.get("metric")
        if isinstance(metric, str) and (entry.get("hf_evaluate") or metric not in METRIC_REGISTRY):
            raise UsageError(f"{subtask.name}: its metric {metric!r} is code downloaded from the hub, which is refused")
    identifier = dataset_id(subtask)
    folder = mirrored(identifier, data_dir) if identifier else _beside(subtask, str(config.get("dataset_path")))
    if folder:
        config["dataset_path"] = str(folder)
    files = (config.get("dataset_kwargs") or {}).get("data_files")
    if files and identifier is None and subtask.folder:
        config["dataset_kwargs"]["data_files"] = _absolute(files, subtask.folder)
    return config


def data_files(subtask: SubtaskConfig, config: Mapping[str, Any]) -> dict[str, Path]:
    """The files that a task's data are read from, by the names that a message calls them; none of the hub.

    Args:
        subtask: the task.
        config: as `located` gives it.
    """
    if config.get("custom_dataset"):
        return {}
    place = Path(str(config.get("dataset_path")))
    if place.is_dir():
        # In the mirror, beside the definition, or in the working directory, where `datasets` looks before the hub.
        return files_of(place, dataset_id(subtask) or place.name)
    if str(place) not in FILE_FORMATS:
        return {}
    own, options = subtask.folder or Path(), config.get("dataset_kwargs") or {}
    # A name may be a pattern: ours/*.jsonl.
    patterns = [name for name in _names(options.get("data_files") or []) if "://" not in name]
    matches = [sorted(glob(each, recursive=True)) for each in patterns]  # noqa: PTH207 - a Path globs nothing absolute
    found = [Path(match) for of_pattern in matches for match in of_pattern]
    found += [Path(options["data_dir"])] if "data_dir" in options else []
    names = {path: str(path.relative_to(own) if path.is_relative_to(own) else path) for path in found}
    return {name: file for path in found for name, file in files_of(path, names[path]).items()}


class MissingDatasetsError(SpecError):
    """A task whose datasets cannot be had.

    Attributes:
        task: its name.
        causes: why, by dataset id.
        data_dir: where they were looked for before the hub.
    """

    def __init__(self, task: str, causes: Mapping[str, str], data_dir: Path | None) -> None:
        """Make the line of this task alone."""
        self.task, self.causes, self.data_dir = task, dict(causes), data_dir
        super().__init__([_missing_line([task], self.causes, data_dir)])

    @property
    def kind(self) -> tuple[object, ...]:
        """What is the same of tasks that lack their data for the same reasons."""
        return self.data_dir, self._is_absent, tuple(dict.fromkeys(self.causes.values()))

    @property
    def _is_absent(self) -> bool:
        return not any(mirrored(identifier, self.data_dir) for identifier in self.causes)


def folded(errors: Iterable[MissingDatasetsError]) -> list[str]:
    """One line for all tasks that lack their data for the same reasons, naming each."""
    lines = []
    by_kind: dict[tuple[object, ...], list[MissingDatasetsError]] = {}
    for error in errors:
        by_kind.setdefault(error.kind, []).append(error)
    for alike in by_kind.values():
        causes = {identifier: why for error in alike for identifier, why in error.causes.items()}
        lines.append(_missing_line([error.task for error in alike], causes, alike[0].data_dir))
    return lines


def _missing_line(tasks: Sequence[str], causes: Mapping[str, str], data_dir: Path | None) -> str:
    """Say which datasets tasks lack, why (by dataset id), and how to get them."""
    whose = f"task {tasks[0]!r}" if len(tasks) == 1 else f"{len(tasks)} tasks ({', '.join(tasks)})"
    noun = "dataset" if len(causes) == 1 else "datasets"
    absent = not any(mirrored(identifier, data_dir) for identifier in causes)
    place = f"not in {data_dir}, and " if data_dir and absent else ""
    return (
        f"{whose}: {noun} {', '.join(causes)}: {place}{'; '.join(dict.fromkeys(causes.values()))}; "
        f"fetch with `mplus-eval tasks fetch --to {data_dir or 'DIR'} --tasks {','.join(tasks)}` and give --data-dir"
    )


def _beside(subtask: SubtaskConfig, path: str) -> Path | None:
    folder = subtask.folder / path if subtask.folder and path.startswith((".", "/")) else None
    return folder.resolve() if folder and folder.is_dir() else None


def _names(files: DataFiles) -> list[str]:
    if isinstance(files, str):
        return [files]
    return [name for each in (files.values() if isinstance(files, Mapping) else files) for name in _names(each)]


def _absolute(files: DataFiles, folder: Path) -> DataFiles:
    if isinstance(files, Mapping):
        return {split: _absolute(names, folder) for split, names in files.items()}
    if isinstance(files, list):
        return [_absolute(name, folder) for name in files]
    return files if "://" in files else str(folder / files)
