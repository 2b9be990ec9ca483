"""Answers: what a model says to the items of one leaf task, as rows of `answers/`.

lm-eval builds the requests, so prompts, few-shot examples and stop strings are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from mplus_eval.backends import Backend, Response
from mplus_eval.capability.items import FEWSHOT_SEED, Leaf
from mplus_eval.store.hashes import hash_text

Row = dict[str, Any]


def build_requests(leaf: Leaf, backend: Backend | None, *, limit: int | None, chat: bool) -> list[Any]:
    """Let lm-eval build the requests of a leaf task, item by item.

    The few-shot seed is set anew each time: lm-eval draws examples as it goes, and a second model must get the same.

    Args:
        leaf: the leaf task.
        backend: the model whose chat template is used; None for plain prompts.
        limit: how many items, from the first; None for all.
        chat: whether prompts are put into the model's chat template.

    Returns:
        lm-eval's request objects, ordered by item.
    """
    leaf.task.set_fewshot_seed(seed=FEWSHOT_SEED)
    leaf.task.build_all_requests(
        limit=limit,
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        chat_template=backend.render_chat if chat and backend else None,
    )
    return sorted(leaf.task.instances, key=lambda request: (request.doc_id, request.idx))


def answer(leaf: Leaf, requests: Sequence[Any], backend: Backend, on_items: Callable[[int], None]) -> list[Row]:
    """Ask a model the requests of some items of a leaf task.

    Args:
        leaf: the leaf task.
        requests: requests of whole items, as `build_requests` returns them.
        backend: the model.
        on_items: called with the number of items done since the last call.

    Returns:
        One row for each item and sample, with the columns of `ANSWER_SCHEMA`.
    """
    rows: list[Row] = []
    for call in _calls(requests, backend.requests_per_call):
        responses = _responses(backend, call)
        items = list(_by_item(call))
        for item in items:
            rows.extend(_rows(leaf, item, [next(responses) for _ in item]))
        on_items(len(items))
    return rows


def _responses(backend: Backend, requests: Sequence[Any]) -> Iterator[list[Response]]:
    """For every request its responses, one a sample; a backend is asked requests of one type at once."""
    responses: list[list[Response]] = [[] for _ in requests]

    def request_type(place: int) -> str:
        return str(requests[place].request_type)

    for _, group in groupby(sorted(range(len(requests)), key=request_type), key=request_type):
        places = [place for place in group for _ in range(requests[place].repeats or 1)]
        for place, response in zip(places, backend.respond([requests[place] for place in places]), strict=True):
            responses[place].append(response)
    return iter(responses)


def _by_item(requests: Sequence[Any]) -> Iterator[list[Any]]:
    for _, item in groupby(requests, key=lambda request: request.doc_id):
        yield list(item)


def _calls(requests: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """Split requests into calls of about `size`, never through an item."""
    call: list[Any] = []
    for item in _by_item(requests):
        if call and len(call) + len(item) > size:
            yield call
            call = []
        call += item
    if call:
        yield call


def _rows(leaf: Leaf, requests: Sequence[Any], responses: Sequence[list[Response]]) -> Iterator[Row]:
    """One row a sample; the requests of an item are its choices, or its one generation."""
    first = requests[0]
    prompt = str(first.args[0])
    for sample, given in enumerate(zip(*responses, strict=True)):
        yield {
            "item_id": leaf.item_id(first.doc_id),
            "stratum": leaf.name,
            "cluster": leaf.cluster_of(first.doc),
            "sample": sample,
            "prompt_hash": hash_text(prompt),
            "prompt": prompt,
            "choices": _choices(leaf, requests),
            "n_truncated": max((n for response in given if (n := response.n_truncated) is not None), default=None),
            **_columns(given),
        }


def _choices(leaf: Leaf, requests: Sequence[Any]) -> list[str] | None:
    if requests[0].request_type != "loglikelihood":
        return None
    if leaf.task.OUTPUT_TYPE == "multiple_choice":
        return [str(choice) for choice in leaf.task.doc_to_choice(requests[0].doc)]
    return [str(request.args[1]) for request in requests]


def _columns(responses: Sequence[Response]) -> Row:
    """The columns that hold a model's responses to one item; NaN is a failure, not a number."""
    if failed := [response.error for response in responses if response.error is not None]:
        return {"error": failed[0]}
    if texts := [response.text for response in responses if response.text is not None]:
        return {"generations": texts}
    values = [response.log_probability for response in responses if response.log_probability is not None]
    greedy = [response.is_greedy for response in responses if response.is_greedy is not None] or None
    error = "the model returned NaN" if any(math.isnan(value) for value in values) else None
    return {"log_probabilities": values, "greedy": greedy, "error": error}
