"""Answers: what a model says to the items of one leaf task, as rows of `answers/`.

lm-eval builds the requests, so prompts, few-shot examples and stop strings are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from mplus_eval.backends import Backend
from mplus_eval.fingerprint import hash_text
from mplus_eval.lm_tasks import FEWSHOT_SEED, Leaf

Row = dict[str, Any]


def answer_leaf(
    leaf: Leaf, backend: Backend, *, limit: int | None, chat: bool, on_items: Callable[[int], None]
) -> list[Row]:
    """Ask a model all items of a leaf task.

    Args:
        leaf: the leaf task.
        backend: the model.
        limit: how many items, from the first; None for all.
        chat: whether prompts are put into the model's chat template.
        on_items: called with the number of items done since the last call.

    Returns:
        One row for each item and sample, with the columns of `ANSWER_SCHEMA`.
    """
    rows: list[Row] = []
    for group in _calls(build_requests(leaf, backend, limit=limit, chat=chat), backend.requests_per_call):
        for request_type, requests in groupby(sorted(group, key=_type), key=_type):
            _respond(backend, list(requests), request_type)
        for item in _by_item(group):
            rows.extend(_rows(leaf, item))
        on_items(len({request.doc_id for request in group}))
    return rows


def build_requests(leaf: Leaf, backend: Backend | None, *, limit: int | None, chat: bool) -> list[Any]:
    """Let lm-eval build the requests of a leaf task, item by item.

    The few-shot seed is set anew each time: lm-eval draws examples as it goes, and a second model must get the same.
    """
    leaf.task.set_fewshot_seed(seed=FEWSHOT_SEED)
    leaf.task.build_all_requests(
        limit=limit,
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        chat_template=backend.render_chat if chat and backend else None,
    )
    requests = sorted(leaf.task.instances, key=lambda request: (request.doc_id, request.idx))
    for request in requests:
        request.resps = []
    return requests


def _type(request: Any) -> str:
    return str(request.request_type)


def _respond(backend: Backend, requests: Sequence[Any], request_type: str) -> None:
    repeated = [request for request in requests for _ in range(request.repeats or 1)]
    for request, response in zip(repeated, backend.respond(repeated), strict=True):
        request.resps.append(response)


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


def _rows(leaf: Leaf, requests: Sequence[Any]) -> Iterator[Row]:
    """One row a sample; the requests of an item are its choices, or its one generation."""
    first = requests[0]
    prompt = str(first.args[0])
    for sample in range(first.repeats or 1):
        responses = [request.resps[sample] for request in requests]
        yield {
            "item_id": leaf.item_id(first.doc_id),
            "stratum": leaf.name,
            "cluster": leaf.cluster_of(first.doc),
            "sample": sample,
            "prompt_hash": hash_text(prompt),
            "prompt": prompt,
            "choices": _choices(leaf, requests),
            **_said(_type(first), responses),
        }


def _choices(leaf: Leaf, requests: Sequence[Any]) -> list[str] | None:
    if _type(requests[0]) != "loglikelihood":
        return None
    if leaf.task.OUTPUT_TYPE == "multiple_choice":
        return [str(choice) for choice in leaf.task.doc_to_choice(requests[0].doc)]
    return [str(request.args[1]) for request in requests]


def _said(request_type: str, responses: Sequence[Any]) -> Row:
    """The columns that hold a model's responses to one item; NaN is a failure, not a number."""
    if request_type == "generate_until":
        return {"generations": [str(text) for text in responses]}
    if request_type == "loglikelihood":
        values, greedy = [float(value) for value, _ in responses], [bool(flag) for _, flag in responses]
    else:
        values, greedy = [float(value) for value in responses], None
    error = "the model returned NaN" if any(math.isnan(value) for value in values) else None
    return {"log_probabilities": values, "greedy": greedy, "error": error}
