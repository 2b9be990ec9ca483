from __future__ import annotations

import pytest

from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.spec.suite import load_suite


@pytest.fixture(scope="module")
def loaded() -> list[LoadedTask]:
    return load_tasks(load_suite("mini").tasks, data_dir=None, tasks_dir=None)


def test_the_suite_says_truly_how_many_items_of_which_kind_its_tasks_have(loaded: list[LoadedTask]) -> None:
    said = {task.name: (task.items, task.kind) for task in load_suite("mini").tasks}

    assert {task.spec.name: (sum(subtask.n_docs for subtask in task.subtasks), task.kind) for task in loaded} == said


def test_there_is_a_task_of_the_same_kind_for_each_of_mplus() -> None:
    kinds = {task.name: task.kind for task in load_suite("mini").tasks}

    for task in load_suite("mplus").tasks:
        of_mini = kinds[f"mini_{task.name.removesuffix('_en')}"]
        assert of_mini == task.kind or task.kind == "mixed"
