from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.items import Subtask, load_tasks
from mplus_eval.spec.suite import SuiteTask

OWN_DATA = Path(__file__).parents[1] / "data" / "hub"


def load(name: str) -> Subtask:
    tasks = [SuiteTask(name="drop", lm_eval=name, shots=3, metric="f1")]
    return load_tasks(tasks, data_dir=OWN_DATA, tasks_dir=None)[0].subtasks[0]


@pytest.fixture(scope="module")
def subtask() -> Subtask:
    return load("drop_answers")


def examples(subtask: Subtask) -> list[str]:
    prompt = str(build_requests(subtask, None, numbers=range(1), chat=False)[0].args[0])
    return prompt.split("\n\n")[:-1]


def test_examples_end_in_their_answers(subtask: Subtask) -> None:
    answers = {"9", "rye bread", "65", "3 July 1911", "37", "Ostry"}
    ends = [example.split("? ")[1] for example in examples(subtask)]
    assert len(ends) == 3
    assert set(ends) <= answers


def test_lm_evals_examples_end_in_names_of_fields() -> None:
    assert {example.split("?")[1] for example in examples(load("lm_eval:drop"))} == {
        "number,date,spans,worker_id,hit_id"
    }


def test_a_decimal_answer_is_not_cut_off(subtask: Subtask) -> None:
    (request,) = build_requests(subtask, None, numbers=range(1), chat=False)
    assert request.args[1]["until"] == ["\n"]


@pytest.mark.parametrize(("said", "f1"), [("37.5", 1.0), ("37", 0.0), ("it is 37.5 percent", 0.4)])
def test_answers_are_scored_as_by_lm_eval(subtask: Subtask, said: str, f1: float) -> None:
    (doc,) = [doc for doc in subtask.docs() if doc["question"].startswith("What percent of the boats")]
    assert subtask.task.process_results(doc, [said])["f1"] == pytest.approx(f1)


def test_several_spans_are_one_answer(subtask: Subtask) -> None:
    (doc,) = [doc for doc in subtask.docs() if doc["question"].startswith("Which players")]
    assert subtask.target_of(doc) == "Tamo Reed, Oren Fisk"


def test_questions_of_one_passage_share_its_section(subtask: Subtask) -> None:
    assert len({doc["section_id"] for doc in subtask.docs()}) == 4
    assert subtask.n_docs == 23
