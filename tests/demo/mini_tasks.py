"""Loads the mini suite's definitions with lm-eval alone, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MINI = Path(__file__).parents[2] / "tasks" / "mini"


def leaf_names(task: str) -> list[str]:
    """A group's tasks, or the task itself."""
    config = yaml.load((MINI / f"{task}.yaml").read_text(), Loader=yaml.BaseLoader) if _is_group(task) else {}
    return list(config.get("task", [task]))


def load_leaf(name: str) -> Any:
    """lm-eval's task object, its data files made absolute."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_defaults=False).load(leaf_config(name))["tasks"][name]


def leaf_config(name: str) -> dict[str, Any]:
    """A task's whole configuration."""
    config = _read(MINI / f"{name}.yaml")
    files = config["dataset_kwargs"]["data_files"]
    return config | {"dataset_kwargs": {"data_files": {split: str(MINI / file) for split, file in files.items()}}}


def _read(path: Path) -> dict[str, Any]:
    from mplus_eval.backends.lm_eval_private import load_yaml

    config = dict(load_yaml(path, resolve_func=True))
    included = config.pop("include", None)
    return {**_read(MINI / included), **config} if included else config


def _is_group(task: str) -> bool:
    return (MINI / f"{task}.yaml").read_text().startswith("group:")
