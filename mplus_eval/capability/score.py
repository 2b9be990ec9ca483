"""Scores: answers turned into outcomes by the task's own metric. Needs the stored answers and the task, no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Literal

from mplus_eval.capability.items import LoadedTask, Subtask
from mplus_eval.store.outcomes import Answer, Outcome

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

RequestType = Literal["loglikelihood", "loglikelihood_rolling", "generate_until"]


def score_items(loaded: LoadedTask, subtask: Subtask, answers: Sequence[Answer], numbers: range) -> list[Outcome]:
    """Score the answers to some items of a subtask with lm-eval's filters and metrics.

    Args:
        loaded: the task that the subtask belongs to.
        subtask: the subtask.
        answers: of the items, every sample.
        numbers: which of the subtask's items they are.

    Returns:
        One outcome for each item. Where the task combines several samples into one answer (a majority vote), it is that
        of the combined answer.
    """
    items: dict[str, list[Answer]] = defaultdict(list)
    for each in answers:
        items[each.item_id].append(each)
    documents = subtask.task.doc_iterator(limit=numbers.stop)
    docs = {subtask.item_id(number): doc for number, doc in documents if number in numbers}
    whole = {item_id: samples for item_id, samples in items.items() if not any(each.error for each in samples)}
    scored = dict(_scored(loaded, subtask, whole, docs))
    return [
        scored.get(item_id) or Outcome.of(samples[0], target=subtask.target_of(docs[item_id]))
        for item_id, samples in items.items()
    ]


def _scored(
    loaded: LoadedTask, subtask: Subtask, items: Mapping[str, list[Answer]], docs: Mapping[str, object]
) -> Iterator[tuple[str, Outcome]]:
    from mplus_eval.backends.lm_eval_private import set_requests

    requests = {
        item_id: _requests(subtask, number, docs[item_id], samples)
        for number, (item_id, samples) in enumerate(items.items())
    }
    if not requests:
        return
    set_requests(subtask.task, [request for group in requests.values() for request in group])
    subtask.task.apply_filters()
    for item_id, group in requests.items():
        first, target, error = items[item_id][0], subtask.target_of(docs[item_id]), None
        metrics: dict[str, float] = {}
        try:
            metrics = _metrics(subtask, docs[item_id], group)
        except Exception as fault:  # noqa: BLE001 - a task's code is foreign and may raise anything; the item keeps its cause
            error = f"the task's metric failed: {type(fault).__name__}: {fault}"
        score = metrics.get(f"{loaded.metric},{loaded.filter}")
        if score is None:
            yield (
                item_id,
                Outcome.of(first, target=target, error=error or f"the task gave no {loaded.metric} for this item"),
            )
        else:
            answer = _answer(loaded, first, group)
            yield item_id, Outcome.of(first, target=target, answer=answer, score=score, metrics=metrics)


def _requests(subtask: Subtask, number: int, doc: object, samples: Sequence[Answer]) -> list[Instance]:
    """Put stored answers back into lm-eval's request objects, with their responses, one for each sample."""
    from lm_eval.api.instance import Instance

    kind, responses = _responses(samples)
    requests = []
    for index in range(len(responses[0])):
        request = Instance(kind, doc, (samples[0].prompt, ""), index, (subtask.name, number, len(samples)))
        request.resps = [each[index] for each in responses]
        requests.append(request)
    return requests


def _responses(samples: Sequence[Answer]) -> tuple[RequestType, list[list[object]]]:
    """The request type, and for each sample the responses in lm-eval's form."""
    if samples[0].generations is not None:
        return "generate_until", [list(each.generations or ()) for each in samples]
    if samples[0].greedy is not None:
        pairs = [zip(each.log_probabilities or (), each.greedy or (), strict=True) for each in samples]
        return "loglikelihood", [list(each) for each in pairs]
    return "loglikelihood_rolling", [list(each.log_probabilities or ()) for each in samples]


def _metrics(subtask: Subtask, doc: object, requests: Sequence[Instance]) -> dict[str, float]:
    """Every metric of an item that is a number, by `metric,filter`."""
    metrics: dict[str, float] = {}
    for name in requests[0].filtered_resps:
        results = subtask.task.process_results(doc, [request.filtered_resps[name] for request in requests])
        metrics |= {f"{metric},{name}": float(value) for metric, value in results.items() if isinstance(value, Real)}
    return metrics


def _answer(loaded: LoadedTask, given: Answer, requests: Sequence[Instance]) -> str | None:
    """What the model is taken to have said: the choice that the metric looks at, or the extracted answer."""
    choices, values = given.choices, given.log_probabilities
    if given.generations is not None:
        return str(requests[0].filtered_resps.get(loaded.filter, ""))
    if not choices or len(choices) < 2 or values is None:
        return None
    lengths = [len(choice) if loaded.metric == "acc_norm" else 1 for choice in choices]
    weighed = [value / max(length, 1) for value, length in zip(values, lengths, strict=False)]
    return str(choices[weighed.index(max(weighed))])
