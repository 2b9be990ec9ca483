from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.contamination.item_texts import ItemText, item_texts
from mplus_eval.spec.suite import SuiteTask

QUESTION = "Which is red?\nA. grass\nB. blood\nC. milk\nAnswer:"

LETTERS = """
task: letters
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}\\nA. {{choices[0]}}\\nB. {{choices[1]}}\\nC. {{choices[2]}}\\nAnswer:"
doc_to_choice: ["A", "B", "C"]
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""


def loaded(folder: Path, definition: str, rows: list[dict[str, object]]) -> LoadedTask:
    (folder / "task.yaml").write_text(definition)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    name = definition.split("task: ")[1].split()[0]
    (task,) = load_tasks([SuiteTask(name=name, lm_eval=name, cluster="passage")], data_dir=None, tasks_dir=folder)
    return task


def row(number: int) -> dict[str, object]:
    choices = ["grass", "blood", f"milk {number}"]
    return {"question": f"{number}: which is red?", "choices": choices, "answer": 1, "passage": f"p{number // 2}"}


def test_an_item_is_its_question_without_examples_and_the_right_answer(tmp_path: Path) -> None:
    items = item_texts(loaded(tmp_path, LETTERS, [row(number) for number in range(3)]))["letters"]
    assert [item.item_id for item in items] == ["letters/0", "letters/1", "letters/2"]
    assert [item.cluster for item in items] == ["letters/p0", "letters/p0", "letters/p1"]
    assert items[1].text == "1: which is red?\nA. grass\nB. blood\nC. milk 1\nAnswer: B"
    assert items[1].choices == ("grass", "blood", "milk 1")


def test_the_first_items_are_taken_where_fewer_are_wanted(tmp_path: Path) -> None:
    assert len(item_texts(loaded(tmp_path, LETTERS, [row(number) for number in range(3)]), 2)["letters"]) == 2


def test_other_orders_have_the_same_lines_and_none_is_the_own_one() -> None:
    item = ItemText("a", None, QUESTION, " B", ("grass", "blood", "milk"))
    others = item.rearranged(5, random.Random(0))
    assert len(set(others)) == 5
    assert QUESTION not in others
    said = {tuple(line[3:] for line in text.splitlines()[1:4]) for text in others}
    assert len(said) == 5
    assert {frozenset(lines) for lines in said} == {frozenset(("grass", "blood", "milk"))}
    assert all([line[:2] for line in text.splitlines()] == ["Wh", "A.", "B.", "C.", "An"] for text in others)


def test_two_choices_have_one_other_order_and_equal_ones_none() -> None:
    assert ItemText("a", None, "Is it?\nyes\nno\n", " no", ("yes", "no")).rearranged(5, random.Random(0)) == [
        "Is it?\nno\nyes\n"
    ]
    assert ItemText("a", None, "Is it?\nyes\nyes\n", " yes", ("yes", "yes")).rearranged(5, random.Random(0)) == []


@pytest.mark.parametrize("question", ["Which is red?", "Of grass, blood and milk, which is red?\nA. grass\nB. blood"])
def test_a_question_that_does_not_list_its_choices_has_no_other_order(question: str) -> None:
    assert ItemText("a", None, question, " B", ("grass", "blood", "milk")).rearranged(5, random.Random(0)) == []
