from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.score import score_items
from mplus_eval.store.outcomes import Answer, Outcome
from tests.task_files import CHOICE, GENERATION, load_task, write_task

NORMED = CHOICE | {"doc_to_choice": "{{['a', 'a long answer']}}"}


def answer(task: LoadedTask, item: int, sample: int = 0, **columns: Any) -> Answer:
    name = task.subtasks[0].name
    return Answer(
        item_id=f"{name}/{item}", stratum=name, sample=sample, prompt=f"{item} + 1 =", prompt_hash="00", **columns
    )


def chosen(task: LoadedTask, item: int, *log_probabilities: float, **columns: Any) -> Answer:
    choices = [str(item), str(item + 1)]
    greedy = [False] * len(log_probabilities)
    values = {"choices": choices, "log_probabilities": list(log_probabilities), "greedy": greedy}
    return answer(task, item, **(values | columns))


def score(task: LoadedTask, *answers: Answer, numbers: range = range(6)) -> list[Outcome]:
    return score_items(task, task.subtasks[0], answers, numbers)


@pytest.fixture
def sums(tmp_path: Path) -> LoadedTask:
    write_task(tmp_path, "sums")
    return load_task(tmp_path)


def test_a_choice_is_right_when_the_target_is_the_likeliest(sums: LoadedTask) -> None:
    right, wrong = score(sums, chosen(sums, 0, -2.0, -1.0), chosen(sums, 1, -1.0, -2.0))
    assert (right.score, right.answer, right.target) == (1.0, "1", "1")
    assert (wrong.score, wrong.answer, wrong.target) == (0.0, "1", "2")
    assert right.metrics == {"acc,none": 1.0, "acc_norm,none": 1.0}
    assert (right.log_probabilities, right.prompt) == ([-2.0, -1.0], "0 + 1 =")


def test_the_answer_is_the_choice_that_the_metric_looks_at(tmp_path: Path) -> None:
    # By itself "a" is likelier; a letter of "a long answer" is: -2 over 1, -3 over 13.
    write_task(tmp_path, "sums", NORMED)
    for metric, expected in (("acc", "a"), ("acc_norm", "a long answer")):
        task = load_task(tmp_path, metric=metric)
        (outcome,) = score(task, chosen(task, 0, -2.0, -3.0, choices=["a", "a long answer"]))
        assert (outcome.answer, outcome.score) == (expected, float(metric == "acc_norm"))


def test_a_generation_is_right_when_it_is_the_target(tmp_path: Path) -> None:
    write_task(tmp_path, "words", GENERATION)
    task = load_task(tmp_path, "words")
    right, wrong = score(task, answer(task, 0, generations=["1"]), answer(task, 1, generations=["one"]))
    assert (right.score, right.answer, right.target) == (1.0, "1", "1")
    assert (wrong.score, wrong.answer, wrong.target) == (0.0, "one", "2")


def test_samples_that_a_filter_combines_are_one_outcome(tmp_path: Path) -> None:
    vote = [{"name": "vote", "filter": [{"function": "majority_vote"}, {"function": "take_first"}]}]
    write_task(tmp_path, "words", GENERATION, repeats=3, filter_list=vote)
    task = load_task(tmp_path, "words")
    said = ["7", "1", "1"]
    (outcome,) = score(task, *(answer(task, 0, sample, generations=[text]) for sample, text in enumerate(said)))
    assert (outcome.score, outcome.answer, outcome.sample) == (1.0, "1", 0)


def test_items_in_the_middle_of_a_subtask_are_held_against_their_own_targets(sums: LoadedTask) -> None:
    outcomes = score(sums, chosen(sums, 3, -2.0, -1.0), chosen(sums, 4, -2.0, -1.0), numbers=range(3, 5))
    assert [(outcome.item_id, outcome.target, outcome.score) for outcome in outcomes] == [
        ("sums/3", "4", 1.0),
        ("sums/4", "5", 1.0),
    ]


def test_a_failed_item_keeps_its_error_and_has_no_score(sums: LoadedTask) -> None:
    failed, right = score(sums, answer(sums, 0, error="the server hung up"), chosen(sums, 1, -2.0, -1.0))
    assert (failed.error, failed.score, failed.answer, failed.metrics) == ("the server hung up", None, None, None)
    assert failed.target == "1"
    assert right.score == 1.0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise KeyError('no such word')", "the task's metric failed: KeyError: 'no such word'"),
        ("return {'other': 1.0}", "the task gave no acc for this item"),
        ("return {'acc': 'right'}", "the task gave no acc for this item"),
    ],
)
def test_an_item_that_the_task_cannot_score_keeps_the_reason(tmp_path: Path, body: str, error: str) -> None:
    write_task(tmp_path, "sums", process_results="!function scoring.score.py")
    (tmp_path / "scoring.py").write_text(f"def score(doc, results):\n    {body}\n")
    task = load_task(tmp_path, metric="acc")
    (outcome,) = score(task, chosen(task, 0, -2.0, -1.0))
    assert (outcome.error, outcome.score, outcome.target) == (error, None, "1")
