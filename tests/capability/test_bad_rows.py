from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.score import score_items
from tests.task_files import ROWS, load_task, write_rows, write_task
from tests.toy import RuleBackend


def loaded(folder: Path, **changes: object) -> LoadedTask:
    """Six items, the fourth of which has no options."""
    write_task(folder, "sums", **changes)
    write_rows(folder, [row | ({"options": None} if number == 3 else {}) for number, row in enumerate(ROWS)])
    return load_task(folder)


@pytest.mark.parametrize("shots", [0, 2])
def test_a_row_without_choices_fails_alone_and_is_named(tmp_path: Path, shots: int) -> None:
    task = loaded(tmp_path, num_fewshot=shots)
    (subtask,) = task.subtasks
    done: list[int] = []
    requests = build_requests(subtask, None, chat=False)
    answers = generate(subtask, requests, RuleBackend("base"), done.append)
    assert [answer.item_id for answer in answers] == [f"sums/{number}" for number in range(6)]
    assert [answer.error is None for answer in answers] == [True, True, True, False, True, True]
    assert str(answers[3].error).startswith("rows.jsonl, row 4: ")
    assert sum(done) == 6
    outcomes = score_items(task, subtask, answers, range(6))
    failed = next(outcome for outcome in outcomes if outcome.item_id == "sums/3")
    assert (failed.score, failed.error) == (None, answers[3].error)
    assert sum(outcome.score is not None for outcome in outcomes) == 5


def test_prompts_of_the_other_rows_are_those_without_it(tmp_path: Path) -> None:
    whole_folder = tmp_path / "whole"
    write_task(whole_folder, "sums", num_fewshot=2)
    (whole,), (broken,) = load_task(whole_folder).subtasks, loaded(tmp_path / "broken", num_fewshot=2).subtasks
    ours, theirs = (
        {request.doc_id: request.args for request in build_requests(subtask, None, chat=False)}
        for subtask in (broken, whole)
    )
    assert {number: ours[number] for number in (0, 1, 2, 4, 5)} == {n: theirs[n] for n in (0, 1, 2, 4, 5)}


def test_a_prompt_that_is_no_text_fails_alone(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", doc_to_text="{{ '\\ud83d' if question.startswith('2') else question }}")
    (subtask,) = load_task(tmp_path).subtasks
    build_requests(subtask, None, chat=False)
    assert [number for number in range(6) if subtask.fault_of(number)] == [2]
    assert str(subtask.fault_of(2)) == r"rows.jsonl, row 3: half a surrogate pair, '\ud83d', is no text"


def test_chance_is_that_of_the_rows_that_have_choices(tmp_path: Path) -> None:
    assert loaded(tmp_path).chance() == 0.5
