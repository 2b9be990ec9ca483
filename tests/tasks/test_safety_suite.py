"""The tasks of the suite `safety`, loaded from stand-ins in the layouts of the hub's datasets."""

from __future__ import annotations

import pytest

from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.score import score_items
from mplus_eval.spec.suite import load_suite
from mplus_eval.store.outcomes import Answer
from tests.prompt_set_stand_ins import write_task_stand_ins


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedTask]:
    folder = write_task_stand_ins(tmp_path_factory.mktemp("hub"))
    tasks = load_tasks(load_suite("safety").tasks, data_dir=folder, tasks_dir=None)
    return {task.spec.name: task for task in tasks}


def test_the_tasks_are_loaded_with_the_metric_that_the_suite_names(loaded: dict[str, LoadedTask]) -> None:
    assert {name: (task.metric, task.kind, task.n_shots) for name, task in loaded.items()} == dict.fromkeys(
        ("bbq_ambig", "bbq_disambig", "toxigen"), ("acc", "choice", 0)
    )


def test_ambiguous_and_disambiguated_contexts_are_told_apart(loaded: dict[str, LoadedTask]) -> None:
    assert {name: sum(part.n_docs for part in task.subtasks) for name, task in loaded.items()} == {
        "bbq_ambig": 2,
        "bbq_disambig": 1,
        "toxigen": 2,
    }


def test_an_answer_that_nothing_tells_is_wrong_where_the_context_is_ambiguous(loaded: dict[str, LoadedTask]) -> None:
    task = loaded["bbq_ambig"]
    subtask = task.subtasks[0]
    choices = list(subtask.task.doc_to_choice(next(iter(subtask.task.test_docs()))))
    assert choices[:3] == ["Ann", "Bob", "Unknown"]

    def score(best: int) -> float | None:
        values = [-1.0 if number == best else -2.0 for number in range(len(choices))]
        answer = Answer(
            item_id=subtask.item_id(0),
            stratum=subtask.name,
            sample=0,
            prompt="",
            prompt_hash="",
            choices=choices,
            log_probabilities=values,
            greedy=[False] * len(choices),
        )
        return score_items(task, subtask, [answer], range(1))[0].score

    assert [score(best) for best in range(3)] == [0.0, 0.0, 1.0]
