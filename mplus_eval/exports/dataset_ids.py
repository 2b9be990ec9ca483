"""Where the items of a task came from: the hub's dataset, its configuration and split, as the definition names them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from mplus_eval.errors import MplusError
from mplus_eval.records.comparison import Task


@dataclass(frozen=True)
class Dataset:
    """A dataset of the hub; config and split are None where the subtasks of a task have several."""

    id: str
    config: str | None = None
    split: str | None = None


def dataset_of(task: Task) -> Dataset | None:
    """The dataset of a task, or None where its definition is not at hand, or names no dataset of the hub.

    A definition of another version than was asked may have other data, so it says nothing.
    """
    return _dataset(task.lm_eval, task.version)


@cache
def _dataset(lm_eval: str, version: str) -> Dataset | None:
    from mplus_eval.capability.dataset_location import dataset_id
    from mplus_eval.capability.task_config import subtask_configs

    try:
        configs = subtask_configs(lm_eval, None)
    except (MplusError, OSError, ValueError):
        # A user's own definition, or one that another version of lm-eval has.
        return None
    versions = {str((each.config.get("metadata") or {}).get("version")) for each in configs}
    ids = {dataset_id(each) for each in configs}
    if ",".join(sorted(versions)) != version or len(ids) != 1 or (name := ids.pop()) is None:
        return None
    names = {each.config.get("dataset_name") for each in configs}
    splits = {each.config.get("test_split") or each.config.get("validation_split") for each in configs}
    config, split = (values.pop() if len(values) == 1 else None for values in (names, splits))
    return Dataset(name, config if isinstance(config, str) else None, split if isinstance(split, str) else None)
