"""Subtasks made by lm-eval from their configurations and their data, with a line for data that are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mplus_eval.capability.dataset_location import MissingDatasetsError, data_files, dataset_id, located
from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.data.files import file_hashes, own_cache, seal_cache
from mplus_eval.data.hub import offline, refused
from mplus_eval.data.mirror import mirrored
from mplus_eval.data.rows import unreadable
from mplus_eval.errors import UsageError
from mplus_eval.redaction import without_secrets
from mplus_eval.store.hashes import hash_file

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

Progress = Callable[[str, int, int], None]
_DATA_FAULTS = ("scripts are no longer supported", "BuilderConfig", "find cache for")
"""Words of `datasets` that mean a dataset which is not there, or not whole, rather than a fault of the task's code."""


class TaskLoader:
    """Loads subtasks one by one; once the hub did not answer, it is not asked again."""

    def __init__(self, data_dir: Path | None, n_subtasks: int, progress: Progress | None) -> None:
        """Remember where data lie, and whom to tell of each of `n_subtasks` subtasks."""
        self._data_dir = data_dir
        self._n_subtasks = n_subtasks
        self._progress = progress
        self._n_started = 0
        self._hub_failure: str | None = None
        # Subtasks share files, which are read once.
        self._hash_of = cache(hash_file)

    def load(self, name: str, subtasks: Sequence[SubtaskConfig]) -> list[tuple[ConfigurableTask, Mapping[str, str]]]:
        """Return lm-eval's task object for each subtask of the task `name`, with hashes of the files it came from.

        Raises:
            MissingDatasetsError: naming all datasets that are missing.
            UsageError: foreign code is refused, or data cannot be read.
        """
        from datasets.exceptions import DatasetGenerationError
        from lm_eval.tasks import TaskManager

        missing: dict[str, str] = {}
        tasks: list[tuple[ConfigurableTask, Mapping[str, str]]] = []
        for subtask in subtasks:
            if self._progress:
                self._progress(subtask.name, self._n_started, self._n_subtasks)
            self._n_started += 1
            config = {**located(subtask, self._data_dir), "task": subtask.name}
            identifier = dataset_id(subtask)
            folder = mirrored(identifier, self._data_dir) if identifier else None
            if identifier and folder is None and self._hub_failure:
                missing[identifier] = self._hub_failure
            if identifier in missing:
                continue
            files = data_files(subtask, config)
            kept = Path(own_cache(files.values(), self._hash_of)) if files else None
            if kept is not None:
                options = cast("Mapping[str, object]", config.get("dataset_kwargs") or {})
                config["dataset_kwargs"] = {**options, "cache_dir": str(kept)}
            try:
                task = TaskManager(include_defaults=False).load(config)["tasks"][subtask.name]
                tasks.append((task, file_hashes(files, self._hash_of)))
                if kept is not None:
                    seal_cache(kept)
            except DatasetGenerationError as error:
                faults = [fault for path in files.values() for fault in unreadable(path)]
                more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
                raise UsageError(
                    f"task {name!r}: {faults[0]}{more}" if faults else _line(error.__cause__ or error)
                ) from error
            except (OSError, RuntimeError, ValueError) as error:
                is_about_data = isinstance(error, OSError) or any(words in str(error) for words in _DATA_FAULTS)
                if identifier is None or not is_about_data:
                    raise
                if folder is not None:
                    missing[identifier] = f"{folder} lacks {subtask.name} ({_line(error)})"
                elif isinstance(error, ConnectionError):
                    self._hub_failure = "HF_HUB_OFFLINE forbids the hub" if offline() else "the hub cannot be reached"
                    missing[identifier] = self._hub_failure
                elif "scripts are no longer supported" in str(error):
                    missing[identifier] = "on the hub it is a script, which is refused"
                elif why := refused(error, identifier, dataset=True):
                    missing[identifier] = f"it {why}, or go without it by naming other tasks with --tasks"
                else:
                    missing[identifier] = f"the hub refuses it ({_line(error)})"
        if missing:
            raise MissingDatasetsError(name, missing, self._data_dir)
        return tasks


def cause(error: Exception) -> str:
    """One line of an exception; its type where it is not ours."""
    return without_secrets(str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {_line(error)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
