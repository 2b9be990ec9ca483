from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.items import Subtask, load_tasks
from mplus_eval.spec.suite import SuiteTask
from mplus_eval.tasks.race_middle.articles import by_article, doc_to_choice, doc_to_target, doc_to_text


def row(example_id: str, question: str, answer: str) -> dict[str, Any]:
    options = [f"{letter} of {question[:5]}" for letter in "abcd"]
    article = f"Text of {example_id}."
    return {"example_id": example_id, "article": article, "question": question, "answer": answer, "options": options}


ROWS = [
    row("one", "First one?", "B"),
    row("two", "Alone?", "D"),
    row("one", "Blank is  _  .", "A"),
    row("one", "Last one?", "C"),
]


@pytest.fixture(scope="module")
def subtask(benchmark_data: Path) -> Subtask:
    tasks = [SuiteTask(name="race_middle", lm_eval="race_middle", shots=0, cluster="article")]
    return load_tasks(tasks, data_dir=benchmark_data, tasks_dir=None)[0].subtasks[0]


def test_an_item_is_an_article_with_all_its_questions() -> None:
    docs = by_article(ROWS)
    assert [(doc["example_id"], len(doc["problems"])) for doc in docs] == [("one", 3), ("two", 1)]


def test_the_last_question_is_asked_after_the_answered_ones() -> None:
    doc = by_article(ROWS)[0]
    assert doc_to_text(doc) == (
        "Article: Text of one.\n\nQuestion: First one?\nAnswer: b of First\nBlank is a of Blank\nLast one?"
    )
    assert doc_to_choice(doc) == ["a of Last ", "b of Last ", "c of Last ", "d of Last "]
    assert doc_to_target(doc) == 2


def test_an_article_with_one_question_has_no_answered_ones() -> None:
    assert doc_to_text(by_article(ROWS)[1]) == "Article: Text of two.\n\nAlone?"


def test_items_are_the_articles_of_the_test_split(subtask: Subtask) -> None:
    assert subtask.n_docs == 362
    assert len({subtask.cluster_of(doc) for doc in subtask.docs()}) == 362


def test_prompts_are_those_of_lm_evals_race_on_the_same_articles(subtask: Subtask, benchmark_data: Path) -> None:
    import datasets
    from lm_eval.tasks.race import preprocess_race as race

    theirs = datasets.load_dataset(str(benchmark_data / "EleutherAI" / "race"), "middle", split="test")
    assert [(doc_to_text(doc), doc_to_choice(doc), doc_to_target(doc)) for doc in subtask.docs()] == [
        (race.doc_to_text(doc), race.doc_to_choice(doc), race.doc_to_target(doc)) for doc in theirs
    ]
