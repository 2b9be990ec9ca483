from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.items import load_tasks
from mplus_eval.capability.subtask import Subtask
from mplus_eval.inference.tree import Request, build_segments
from mplus_eval.spec.suite import SuiteTask
from tests.task_files import CHOICE, load_task, write_task

Row = dict[str, Any]


def row(question: str, page: int = 0, **more: Any) -> Row:
    return {"question": question, "options": ["yes", "no"], "answer": 0, "page": page, **more}


def subtask(folder: Path, rows: list[Row], pool: list[Row], config: Row | None = None, **keys: Any) -> Subtask:
    write_task(folder, "sums", CHOICE | (config or {}))
    for name, documents in (("rows", rows), ("examples", pool)):
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


def test_fixed_examples_are_lm_evals_first_draw_before_every_item(tmp_path: Path) -> None:
    rows = [row(text) for text in QUESTIONS]
    sampled = prompts(subtask(tmp_path, rows, OTHERS, shots=3))
    found = subtask(tmp_path, rows, OTHERS, shots=3, examples="fixed")
    ours = prompts(found)
    assert [each[:3] for each in ours] == [sampled[0][:3]] * 6
    assert any(each[:3] != sampled[0][:3] for each in sampled)
    assert [each[3] for each in ours] == QUESTIONS
    assert prompts(found) == ours


def test_fixed_examples_are_the_same_whichever_items_are_asked(tmp_path: Path) -> None:
    found = subtask(tmp_path, [row(text) for text in QUESTIONS], OTHERS, shots=3, examples="fixed")
    last = build_requests(found, None, numbers=(4, 5), chat=False)
    assert prompts(found)[4][:3] == str(last[0].args[0]).replace(" yes", "").split("\n\n")[:3]


def test_an_item_among_the_fixed_examples_alone_has_others(tmp_path: Path) -> None:
    rows = [row(text) for text in QUESTIONS]
    found = subtask(tmp_path, rows, [row("question 1"), *OTHERS[:3]], shots=4, examples="fixed")
    ours = prompts(found)
    usual = ours[0][:4]
    assert found.examples is not None
    assert found.examples.n_replaced == [0, 1, 0, 0, 0, 0]
    assert sorted(usual) == ["other 0", "other 1", "other 2", "question 1"]
    # There is no fifth to take its place.
    assert ours[1] == [*(each for each in usual if each != "question 1"), "question 1"]
    assert all(each[:4] == usual for each in [ours[0], *ours[2:]])


def test_fixed_examples_from_among_the_items_give_way_where_they_are_asked_themselves(tmp_path: Path) -> None:
    rows = [row(text) for text in QUESTIONS]
    found = subtask(tmp_path, rows, OTHERS, {"fewshot_split": "test"}, shots=2, examples="fixed")
    ours = prompts(found)
    usual, n = Counter(tuple(each[:2]) for each in ours).most_common(1)[0]
    assert n == 4
    assert found.examples is not None
    assert found.examples.n_replaced == [int(text in usual) for text in QUESTIONS]
    assert sum(found.examples.n_replaced) == 2
    assert all(len({*each}) == 3 for each in ours)


def test_fixed_examples_of_the_items_cluster_give_way_for_that_item(tmp_path: Path) -> None:
    rows = [row(text, page=number) for number, text in enumerate(QUESTIONS)]
    examples = [row("on page two", page=2), *OTHERS[:3]]
    found = subtask(tmp_path, rows, examples, shots=3, cluster="page", examples="fixed")
    ours = prompts(found)
    assert found.examples is not None
    assert found.examples.n_replaced == [int(place == 2 and "on page two" in ours[0]) for place in range(6)]
    assert "on page two" not in ours[2][:3]


def test_examples_of_a_fixed_order_are_as_they_are(tmp_path: Path) -> None:
    config = {"fewshot_config": {"sampler": "first_n"}}
    found = subtask(tmp_path, [row("question 0"), row("other 1")], OTHERS, config, shots=3, examples="fixed")
    assert not found.fixes_examples
    assert prompts(found) == [
        ["other 0", "other 1", "other 2", "question 0"],
        ["other 0", "other 2", "other 3", "other 1"],
    ]


@pytest.mark.parametrize(("name", "shots"), [("hellaswag", 10), ("arc_challenge", 25)])
def test_fixed_examples_leave_less_than_a_third_to_compute_of_the_real_tasks(
    benchmark_data: Path, name: str, shots: int
) -> None:
    n_bytes = []
    for examples in ("sampled", "fixed"):
        asked = SuiteTask.model_validate({"name": name, "lm_eval": name, "shots": shots, "examples": examples})
        (task,) = load_tasks([asked], data_dir=benchmark_data, tasks_dir=None)
        requests = build_requests(task.subtasks[0], None, numbers=range(40), chat=False)
        texts = [Request(tuple("".join(map(str, request.args)).encode()), (0,)) for request in requests]
        n_bytes.append(sum(len(segment.tokens) for segment in build_segments(texts)))
    assert 3 * n_bytes[1] < n_bytes[0]
