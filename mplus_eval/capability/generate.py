"""Generation: what a model answers to the items of one subtask.

lm-eval builds the requests, so prompts, few-shot examples and stop strings are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mplus_eval.backends import Backend, Response
from mplus_eval.backends.answers import asked_columns
from mplus_eval.backends.work import Item, calls
from mplus_eval.capability.items import FEWSHOT_SEED, Subtask
from mplus_eval.models.chat_format import ChatFormat, Talker, format_of
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance


def build_requests(
    subtask: Subtask, backend: Talker | None, *, numbers: Sequence[int] | None = None, chat: bool
) -> list[Instance]:
    """Let lm-eval build the requests of a subtask, item by item.

    lm-eval draws few-shot examples as it goes from document to document, so those of a document depend on which ones
    come before it: they are the examples of `lm_eval --samples` with these numbers. The seed is set anew each time, so
    that a second model gets the same.

    Args:
        subtask: the subtask.
        backend: the model whose chat template is used; None for plain prompts.
        numbers: the documents, rising; all of them when None.
        chat: whether prompts are put into the model's chat template.

    Returns:
        lm-eval's request objects, ordered by item; `doc_id` is the document's number in the data.
    """
    numbers = range(subtask.n_docs) if numbers is None else numbers
    subtask.start(numbers)
    subtask.task.set_fewshot_seed(seed=FEWSHOT_SEED)
    subtask.task.build_all_requests(
        **_which(numbers),
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        chat_template=backend.render_chat if chat and backend else None,
    )
    if chat and backend:
        _end_as_in_talk(subtask.task.instances, format_of(backend, own_template=True))
    return sorted(subtask.task.instances, key=lambda request: (request.doc_id, request.idx))


def _which(numbers: Sequence[int]) -> dict[str, Any]:
    """The documents in lm-eval's words; it asks of each whether it is among the samples, so these are a set."""
    return {"limit": len(numbers)} if numbers == range(len(numbers)) else {"samples": frozenset(numbers)}


def _end_as_in_talk(requests: Sequence[Instance], chat: ChatFormat) -> None:
    """Have answers in a chat template end where its turns do, besides the task's own stop strings."""
    for request in requests:
        if request.request_type == "generate_until":
            prompt, options = request.args
            until = options.get("until") or []
            ends = chat.options([until] if isinstance(until, str) else until)
            request.arguments = (prompt, {**options, **ends})


def generate(
    subtask: Subtask, requests: Sequence[Instance], backend: Backend, on_items: Callable[[int], None]
) -> list[Answer]:
    """Ask a model the requests of some items of a subtask.

    Args:
        subtask: the subtask.
        requests: requests of whole items, as `build_requests` returns them.
        backend: the model.
        on_items: called with the number of items done since the last call.

    Returns:
        An answer for each item and sample.
    """
    answers: list[Answer] = []
    failed = {request.doc_id: fault for request in requests if (fault := subtask.fault_of(request.doc_id))}
    for items in _calls([request for request in requests if request.doc_id not in failed], backend.requests_per_call):
        call = [request for item in items for request in item]
        samples: list[list[Response]] = [[] for _ in call]
        # A backend is asked requests of one type at once.
        for request_type in sorted({str(request.request_type) for request in call}):
            places = [place for place, request in enumerate(call) if request.request_type == request_type]
            places = [place for place in places for _ in range(call[place].repeats or 1)]
            for place, response in zip(places, backend.respond([call[place] for place in places]), strict=True):
                samples[place].append(response)
        responses = iter(samples)
        for item in items:
            answers.extend(_answers(subtask, item, [next(responses) for _ in item]))
        on_items(len(items))
    if failed:
        answers += [_failed(subtask, number, fault) for number, fault in failed.items()]
        answers.sort(key=lambda answer: int(answer.item_id.rpartition("/")[2]))
        on_items(len(failed))
    return answers


def _failed(subtask: Subtask, number: int, fault: str) -> Answer:
    """The answer to an item that gives no prompt."""
    name = subtask.item_id(number)
    return Answer(item_id=name, stratum=subtask.name, sample=0, prompt_hash=hash_text(""), prompt="", error=fault)


def _calls(requests: Sequence[Instance], size: int) -> Iterator[list[Item]]:
    """The requests of each call, item by item: about `size` of them, and never a part of an item."""
    yield from calls([list(group) for _, group in groupby(requests, key=lambda request: request.doc_id)], size)


def _answers(subtask: Subtask, requests: Sequence[Instance], responses: Sequence[list[Response]]) -> Iterator[Answer]:
    """One answer a sample; the requests of an item are its choices, or its one generation."""
    first = requests[0]
    prompt = str(first.args[0])
    choices: list[str] | None = None
    if first.request_type == "loglikelihood" and subtask.task.OUTPUT_TYPE == "multiple_choice":
        choices = [str(choice) for choice in subtask.task.doc_to_choice(first.doc)]
    elif first.request_type == "loglikelihood":
        choices = [str(request.args[1]) for request in requests]
    for sample, given in enumerate(zip(*responses, strict=True)):
        errors = [response.error for response in given if response.error is not None]
        answered = [] if errors else given
        values = [response.log_probability for response in answered if response.log_probability is not None]
        if any(math.isnan(value) for value in values):
            errors = ["the model returned NaN"]  # a failure, not a number
        yield Answer(
            item_id=subtask.item_id(first.doc_id),
            stratum=subtask.name,
            cluster=subtask.cluster_of(first.doc),
            sample=sample,
            prompt_hash=hash_text(prompt),
            prompt=prompt,
            choices=choices,
            log_probabilities=values or None,
            greedy=[response.is_greedy for response in answered if response.is_greedy is not None] or None,
            generations=[response.text for response in answered if response.text is not None] or None,
            **asked_columns(given),
            n_replaced_examples=subtask.n_replaced(first.doc_id),
            error=errors[0] if errors else None,
        )
