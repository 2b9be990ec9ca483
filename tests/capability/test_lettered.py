from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.lettered import DEPARTURE, METRIC, Question, letter_in, question_of
from mplus_eval.capability.score import score_items
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.store.outcomes import Answer
from tests.task_files import CHOICE, load_task, write_task

LISTED = {"doc_to_text": "{{question}}\nA. {{options[0]}}\nB. {{options[1]}}\nAnswer:", "doc_to_choice": ["A", "B"]}


def own(**changes: Any) -> dict[str, Any]:
    keys = {key: CHOICE[key] for key in ("doc_to_text", "doc_to_choice", "doc_to_target")}
    return keys | changes


ROW = {"question": "1 + 1 =", "options": ["1", "2", "3"], "answer": 1}


def test_choices_are_listed_under_letters_in_an_order_of_the_items_own() -> None:
    question = question_of(own(), ROW)
    assert sorted(question.choices) == ["1", "2", "3"]
    assert question.choices[question.right] == "2"
    assert question.text.splitlines()[0] == "1 + 1 ="
    assert question.text.splitlines()[1:] == [
        *(f"{letter}. {choice}" for letter, choice in zip("ABC", question.choices, strict=True)),
        "Answer:",
    ]
    assert question_of(own(), dict(ROW)) == question


def test_the_right_one_is_not_always_first() -> None:
    rows = [{"question": f"{n} + 1 =", "options": [str(n + 1), str(n), "0"], "answer": 0} for n in range(60)]
    counts = [[question_of(own(), row).right for row in rows].count(place) for place in range(3)]
    assert min(counts) >= 10


def test_a_prompt_that_lists_letters_stays_as_it_is() -> None:
    row = {**ROW, "options": ["1", "2"]}
    question = question_of(LISTED | {"doc_to_target": "answer"}, row)
    assert question == Question("1 + 1 =\nA. 1\nB. 2\nAnswer:", ("A", "B"), 1)


def test_the_cue_of_a_prompt_stands_after_the_choices() -> None:
    question = question_of(own(doc_to_text="Question: {{question}}\nAnswer:"), ROW)
    assert question.text.count("Answer:") == 1
    assert question.text.endswith("\nAnswer:")


@pytest.mark.parametrize("target", [1, "1", "2", "answer", "{{answer}}", "{{options[answer]}}"])
def test_the_right_one_may_be_a_number_or_the_choice_itself(target: object) -> None:
    row = {**ROW, "options": ["7", "2", "9"]}
    question = question_of(own(doc_to_target=target), row)
    assert question.choices[question.right] == "2"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"doc_to_text": "answer"}, "its choices are prompts"),
        ({"doc_to_choice": None}, "its choices are prompts"),
        ({"doc_to_target": 7}, "not one of its choices is the right one"),
        ({"doc_to_choice": "{{[1] * 27}}"}, "27 choices"),
    ],
)
def test_what_has_no_letters_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        question_of(own(**changes), ROW)


QUESTION = Question("", ("a cat", "a dog", "a cow"), 0)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"), (" B.", "B"), ("B. a dog", "B"), ("B) a dog", "B"), ("(B)", "B"), ("**B**", "B"),
        ("B\nbecause", "B"),
        ("The answer is B.", "B"), ("Answer: **B**", "B"), ("the correct option is (b) a dog", "B"),
        ("I choose [C]", "C"),
        ("a dog", "B"), ("A dog.", "B"), ("D", ""), ("A river runs from here", ""), ("Because of it", ""), ("", ""),
        ("I think so", ""), ("The answer is a mouse", ""),
    ],
)  # fmt: skip
def test_a_letter_is_read_however_it_is_said(text: str, letter: str) -> None:
    assert letter_in(text, QUESTION) == letter


def test_a_task_is_asked_and_scored_by_letters(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=2)
    task = load_task(tmp_path, choices="generate", metric="acc_norm")
    assert (task.kind, task.metric, task.departs) == ("generation", METRIC, (DEPARTURE,))
    assert task.chance() == 0.5
    (subtask,) = task.subtasks
    requests = build_requests(subtask, None, chat=False)
    prompt = requests[0].args[0]
    assert re.search(r"^10 \+ 2 =\nA\. 1[02]\nB\. 1[02]\nAnswer: [AB]\n\n", prompt) or "+ 2 =" in prompt
    assert len(re.findall(r"^Answer: [AB]$", prompt, re.MULTILINE)) == 2
    assert prompt.endswith("\nAnswer:")
    assert requests[0].args[1]["until"] == ["\n\n"]
    answers = [
        Answer(
            item_id=subtask.item_id(number),
            stratum=subtask.name,
            sample=0,
            prompt_hash="",
            prompt=request.args[0],
            generations=[f"The answer is {'AB'[number % 2]}."],
        )
        for number, request in enumerate(requests)
    ]
    outcomes = score_items(task, subtask, answers, range(6))
    assert [outcome.answer for outcome in outcomes] == ["A", "B"] * 3
    assert [outcome.score for outcome in outcomes] == [float(each.answer == each.target) for each in outcomes]


def test_a_suites_stop_strings_and_limit_hold_for_letters_too(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    task = load_task(tmp_path, choices="generate", until=["\n"], max_gen_toks=8)
    options = build_requests(task.subtasks[0], None, chat=False)[0].args[1]
    assert (options["until"], options["max_gen_toks"]) == (["\n"], 8)


def test_a_task_that_scores_choices_in_a_way_of_its_own_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def results(doc, results):\n    return {'acc': 1.0}\n")
    write_task(tmp_path, "sums", process_results="!function own.results.py")
    with pytest.raises(SpecError, match="task 'asked': choices: generate: sums scores its choices in a way of its own"):
        load_task(tmp_path, choices="generate")


def test_a_task_whose_choices_are_prompts_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", doc_to_text="answer")
    with pytest.raises(SpecError, match="its choices are prompts"):
        load_task(tmp_path, choices="generate")


def test_another_way_of_asking_is_another_definition(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    scored, asked = (load_task(tmp_path, choices=choices) for choices in ("score", "generate"))
    assert scored.subtasks[0].definition_hash != asked.subtasks[0].definition_hash
    again = load_task(tmp_path, choices="generate")
    assert again.subtasks[0].definition_hash == asked.subtasks[0].definition_hash
