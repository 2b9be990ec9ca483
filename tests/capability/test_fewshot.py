from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.subtask import Subtask
from tests.task_files import CHOICE, load_task, write_task

Row = dict[str, Any]


def row(question: str, page: int = 0, **more: Any) -> Row:
    return {"question": question, "options": ["yes", "no"], "answer": 0, "page": page, **more}


def subtask(folder: Path, rows: list[Row], examples: list[Row], config: Row | None = None, **keys: Any) -> Subtask:
    write_task(folder, "sums", CHOICE | (config or {}))
    for name, documents in (("rows", rows), ("examples", examples)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    return load_task(folder, **keys).subtasks[0]


def prompts(subtask: Subtask) -> list[list[str]]:
    """The questions of each prompt, the item's last."""
    requests = build_requests(subtask, None, chat=False)
    texts = {request.doc_id: str(request.args[0]) for request in requests}
    return [[part.removesuffix(" yes") for part in text.split("\n\n")] for text in texts.values()]


def lm_evals_own(subtask: Subtask) -> list[list[str]]:
    """The same as lm-eval alone would have them."""
    assert subtask.examples is not None
    subtask.task.sampler = subtask.examples._sampler
    del subtask.task.fewshot_context
    return prompts(subtask)


QUESTIONS = [f"question {n}" for n in range(6)]
OTHERS = [row(f"other {n}", page=10 + n) for n in range(8)]


def test_prompts_are_lm_evals_own_where_no_example_gives_the_item_away(tmp_path: Path) -> None:
    found = subtask(tmp_path, [row(text) for text in QUESTIONS], OTHERS, shots=3)
    ours = prompts(found)
    assert found.examples is not None
    assert found.examples.n_replaced == [0] * 6
    assert ours == lm_evals_own(found)


def test_the_item_itself_is_no_example_and_all_other_prompts_stay_as_they_are(tmp_path: Path) -> None:
    rows = [row(text) for text in QUESTIONS]
    # The second question stands among the examples too, under another number and written a little otherwise.
    examples = [row("Question  1", page=99), *OTHERS[:3]]
    found = subtask(tmp_path, rows, examples, shots=3)
    ours = prompts(found)
    assert found.examples is not None
    replaced = list(found.examples.n_replaced)
    theirs = lm_evals_own(found)
    assert "Question  1" in theirs[1][:3]
    assert replaced == [0, 1, 0, 0, 0, 0]
    assert [mine for mine, n in zip(ours, replaced, strict=True) if not n] == [*theirs[:1], *theirs[2:]]
    assert sorted(ours[1][:3]) == ["other 0", "other 1", "other 2"]


def test_a_question_of_the_same_cluster_is_no_example(tmp_path: Path) -> None:
    rows = [row(text, page=number // 2) for number, text in enumerate(QUESTIONS)]
    examples = [row("on the first page", page=0), row("on the second", page=1), *OTHERS[:2]]
    found = subtask(tmp_path, rows, examples, shots=3, cluster="page")
    ours = prompts(found)
    assert all("on the first page" not in each[:3] for each in ours[:2])
    assert all("on the second" not in each[:3] for each in ours[2:4])
    assert all(len(each) == 4 for each in ours)
    without = subtask(tmp_path, rows, examples, shots=3)
    assert any("on the first page" in each[:3] for each in prompts(without)[:2])


def test_examples_of_a_fixed_order_give_way_to_the_next_one(tmp_path: Path) -> None:
    config = {"fewshot_config": {"sampler": "first_n"}}
    found = subtask(tmp_path, [row("question 0"), row("other 1")], OTHERS, config, shots=3)
    assert prompts(found) == [
        ["other 0", "other 1", "other 2", "question 0"],
        ["other 0", "other 2", "other 3", "other 1"],
    ]


def test_an_example_is_missing_where_no_other_is_left(tmp_path: Path) -> None:
    found = subtask(tmp_path, [row("other 1"), row("question 0")], OTHERS[:2], shots=2)
    ours = prompts(found)
    assert ours[0] == ["other 0", "other 1"]
    assert len(ours[1]) == 3


def test_items_that_are_their_own_examples_take_all_others_where_lm_eval_finds_too_few(tmp_path: Path) -> None:
    config = {"fewshot_split": "test"}
    found = subtask(tmp_path, [row(text) for text in QUESTIONS[:3]], OTHERS, config, shots=3)
    ours = prompts(found)
    assert [each[-1] for each in ours] == QUESTIONS[:3]
    assert all(sorted(each) == QUESTIONS[:3] for each in ours)


def test_the_same_question_with_other_choices_is_another_item(tmp_path: Path) -> None:
    found = subtask(tmp_path, [row("which?")], [row("which?", options=["a", "b"]), row("which?")] * 2, shots=1)
    prompts(found)
    assert found.examples is not None
    examples = [found.examples._is_apart(example, found.examples._of_item()) for example in found.task.sampler.df]
    assert examples == [True, False, True, False]


def test_every_model_gets_the_same_replacements(tmp_path: Path) -> None:
    examples = [row("question 1"), *OTHERS]
    found = subtask(tmp_path, [row(text) for text in QUESTIONS], examples, shots=8)
    assert prompts(found) == prompts(found)


@pytest.mark.parametrize("samples", [[{"other": "column", "question": "written out", "options": ["yes"], "answer": 0}]])
def test_examples_that_are_written_out_in_a_definition_need_no_column_of_the_cluster(
    tmp_path: Path, samples: list[Row]
) -> None:
    config = {"fewshot_config": {"samples": samples, "sampler": "first_n"}, "fewshot_split": None}
    found = subtask(tmp_path, [row("question 0")], OTHERS, config, shots=1, cluster="page")
    assert prompts(found) == [["written out", "question 0"]]
