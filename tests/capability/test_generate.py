from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import Response
from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.subtask import Subtask
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer
from tests.task_files import GENERATION, ROWS, load_task, write_rows, write_task
from tests.toy import RuleBackend


class Numbering(RuleBackend):
    """Notes the items of every call, and answers a request by the number of requests before it."""

    def __init__(self, requests_per_call: int = 6, special: Mapping[int, Response] | None = None) -> None:
        super().__init__("numbering")
        self.requests_per_call, self.special = requests_per_call, special or {}
        self.numbers = count()
        self.calls: list[list[int]] = []

    def respond(self, requests: Sequence[Any]) -> list[Response]:
        self.calls.append([request.doc_id for request in requests])
        return super().respond(requests)

    def _respond(self, request: Any) -> Response:
        number = next(self.numbers)
        if number in self.special:
            return self.special[number]
        if request.request_type == "generate_until":
            return Response(text=f"text {number}")
        return Response(log_probability=-float(number), is_greedy=number % 2 == 0)


@pytest.fixture
def sums(tmp_path: Path) -> Subtask:
    """Six items of two choices each."""
    write_task(tmp_path, "sums")
    return load_task(tmp_path, cluster="page").subtasks[0]


def answers(subtask: Subtask, backend: RuleBackend, limit: int | None = None) -> list[Answer]:
    numbers = None if limit is None else range(limit)
    return generate(subtask, build_requests(subtask, None, numbers=numbers, chat=False), backend, lambda _: None)


def test_requests_come_item_by_item_and_choice_by_choice(sums: Subtask) -> None:
    requests = build_requests(sums, None, numbers=range(2), chat=False)
    assert [(request.doc_id, request.args) for request in requests] == [
        (0, ("0 + 1 =", " 0")), (0, ("0 + 1 =", " 1")), (1, ("1 + 1 =", " 1")), (1, ("1 + 1 =", " 2")),
    ]  # fmt: skip


def test_drawn_documents_keep_their_numbers_and_their_own_facts(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=1)
    write_rows(tmp_path, [row | ({"options": None} if number == 4 else {}) for number, row in enumerate(ROWS)])
    (tmp_path / "examples.jsonl").write_text(json.dumps(ROWS[5]) + "\n")
    (subtask,) = load_task(tmp_path).subtasks
    requests = build_requests(subtask, None, numbers=(1, 4, 5), chat=False)
    assert [request.doc_id for request in requests] == [1, 1, 4, 5, 5]
    assert [subtask.fault_of(number) is None for number in (1, 4, 5)] == [True, False, True]
    answers = generate(subtask, requests, RuleBackend("base"), lambda _: None)
    assert [(each.item_id, each.error is None) for each in answers] == [
        ("sums/1", True), ("sums/4", False), ("sums/5", True),
    ]  # fmt: skip
    # The only example is the sixth row, which gives way where that is asked.
    assert [each.prompt for each in answers] == ["5 + 1 = 6\n\n1 + 1 =", "", "5 + 1 ="]
    assert (answers[0].n_replaced_examples, answers[2].n_replaced_examples) == (0, 1)


def test_prompts_and_their_examples_are_turns_of_the_models_template_where_that_is_asked(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=1)
    (subtask,) = load_task(tmp_path).subtasks
    request = build_requests(subtask, RuleBackend("base"), numbers=range(1), chat=True)[0]
    assert request.args == ("<user>13 + 2 =<assistant>15<user>0 + 1 =", "0")


@pytest.mark.parametrize(("chat", "ends"), [(True, {"ends": ["<user>"], "turns": []}), (False, {})])
def test_in_a_chat_template_an_answer_ends_as_talk_does_besides_the_tasks_stop_strings(
    tmp_path: Path, chat: bool, ends: dict[str, Any]
) -> None:
    write_task(tmp_path, "words", GENERATION)
    (subtask,) = load_task(tmp_path, "words").subtasks
    (request,) = build_requests(subtask, RuleBackend("base"), numbers=range(1), chat=chat)
    assert request.args[1] == {"until": ["\n"], "do_sample": False, **ends}


def test_a_second_model_gets_the_same_examples(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=2)
    (subtask,) = load_task(tmp_path).subtasks
    first, second = (build_requests(subtask, None, chat=False) for _ in range(2))
    assert [request.args for request in first] == [request.args for request in second]


@pytest.mark.parametrize(
    ("requests_per_call", "n_items"),
    [(1, [1] * 6), (2, [1] * 6), (5, [2, 2, 2]), (8, [4, 2]), (100, [6])],
)
def test_a_call_is_of_about_so_many_requests_and_never_of_a_part_of_an_item(
    sums: Subtask, requests_per_call: int, n_items: list[int]
) -> None:
    backend, done = Numbering(requests_per_call), list[int]()
    generate(sums, build_requests(sums, None, chat=False), backend, done.append)
    assert done == n_items
    assert [len(call) for call in backend.calls] == [2 * n for n in n_items]
    assert [doc_id for call in backend.calls for doc_id in call] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_an_answer_holds_what_was_asked_and_what_was_said(sums: Subtask) -> None:
    assert answers(sums, Numbering())[1] == Answer(
        item_id="sums/1",
        stratum="sums",
        cluster="sums/0",
        sample=0,
        prompt="1 + 1 =",
        prompt_hash=hash_text("1 + 1 ="),
        choices=["1", "2"],
        log_probabilities=[-2.0, -3.0],
        greedy=[True, False],
    )


def test_a_generation_that_is_asked_for_three_times_is_three_samples(tmp_path: Path) -> None:
    write_task(tmp_path, "words", GENERATION, repeats=3)
    (subtask,) = load_task(tmp_path, "words").subtasks
    backend = Numbering()
    assert [(each.item_id, each.sample, each.text) for each in answers(subtask, backend, limit=2)] == [
        *(("words/0", sample, f"text {sample}") for sample in range(3)),
        *(("words/1", sample, f"text {3 + sample}") for sample in range(3)),
    ]
    assert backend.calls == [[0, 0, 0, 1, 1, 1]]


def test_requests_of_one_type_are_asked_at_once_and_answers_keep_the_order_of_items(sums: Subtask) -> None:
    from lm_eval.api.instance import Instance

    def request(number: int, kind: Any, *arguments: Any) -> Instance:
        doc = {"options": [], "page": 0}
        return Instance(kind, doc, arguments, 0, ("sums", number, 1))

    requests = [
        request(0, "loglikelihood_rolling", "a text"),
        request(1, "generate_until", "say", {}),
        request(2, "loglikelihood_rolling", "another"),
    ]
    backend = Numbering()
    first, second, third = generate(sums, requests, backend, lambda _: None)
    assert backend.calls == [[1], [0, 2]]
    assert (first.log_probabilities, second.text, third.log_probabilities) == ([-1.0], "text 0", [-2.0])


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (Response(error="the server hung up"), "the server hung up"),
        (Response(log_probability=float("nan"), is_greedy=False), "the model returned NaN"),
    ],
)
def test_a_choice_that_failed_fails_its_item_and_no_other(sums: Subtask, response: Response, error: str) -> None:
    first, second, third = answers(sums, Numbering(special={3: response}), limit=3)
    assert (first.error, second.error, third.error) == (None, error, None)
    assert third.log_probabilities == [-4.0, -5.0]


@pytest.mark.parametrize(("cut", "most"), [((None, None), None), ((0, 0), 0), ((4, 2), 4), ((None, 3), 3)])
def test_the_most_that_was_cut_from_an_items_prompt_is_told_where_it_is_known(
    sums: Subtask, cut: tuple[int | None, int | None], most: int | None
) -> None:
    special = {number: Response(log_probability=-1.0, is_greedy=False, n_truncated=n) for number, n in enumerate(cut)}
    assert answers(sums, Numbering(special=special), limit=1)[0].n_truncated == most
