"""Scores: answers turned into outcomes by the task's own metric. Needs the stored answers and the task, no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mplus_eval.capability.items import LoadedTask, Subtask
from mplus_eval.capability.lettered import letter_in, question_of_task
from mplus_eval.capability.metric_values import is_passed_over, score_of
from mplus_eval.store.outcomes import Answer, Outcome, as_stored

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

RequestType = Literal["loglikelihood", "loglikelihood_rolling", "generate_until"]


def score_items(
    loaded: LoadedTask, subtask: Subtask, answers: Sequence[Answer], numbers: Sequence[int]
) -> list[Outcome]:
    """Score the answers to some items of a subtask with lm-eval's filters and metrics.

    Args:
        loaded: the task that the subtask belongs to.
        subtask: the subtask.
        answers: of the items, every sample.
        numbers: which of the subtask's documents they are of, rising.

    Returns:
        One outcome for each item. Where the task combines several samples into one answer (a majority vote), it is that
        of the combined answer.
    """
    from mplus_eval.backends.lm_eval_private import set_requests

    items: dict[str, list[Answer]] = defaultdict(list)
    for each in answers:
        items[each.item_id].append(each)
    docs = {subtask.item_id(number): doc for number, doc in subtask.numbered_docs(numbers)}
    # Of the items that were answered whole, numbered as they come: lm-eval's filters see no other.
    whole = [item_id for item_id, samples in items.items() if not any(each.error for each in samples)]
    requests = {
        item_id: _requests(subtask, number, docs[item_id], items[item_id]) for number, item_id in enumerate(whole)
    }
    if requests:
        set_requests(subtask.task, [request for group in requests.values() for request in group])
        subtask.task.apply_filters()
    return [
        _outcome(loaded, subtask, docs[item_id], samples[0], requests.get(item_id))
        for item_id, samples in items.items()
    ]


def _outcome(
    loaded: LoadedTask, subtask: Subtask, doc: object, given: Answer, requests: Sequence[Instance] | None
) -> Outcome:
    """The outcome of an item, from its answered and filtered requests; None where it was not answered whole."""
    if requests is None:
        # A document that gave no prompt need have no target either.
        return Outcome.of(given, target=subtask.target_of(doc) if given.prompt else None)
    target = subtask.target_of(doc)
    metrics: dict[str, float] = {}
    try:
        for name in requests[0].filtered_resps:
            values = subtask.task.process_results(doc, [request.filtered_resps[name] for request in requests])
            for metric, value in values.items():
                metrics |= as_stored(f"{metric},{name}", value)
    except Exception as fault:  # noqa: BLE001 - a task's code is foreign and may raise anything; the item keeps its cause
        return Outcome.of(given, target=target, error=f"the task's metric failed: {type(fault).__name__}: {fault}")
    key, aggregation = f"{loaded.metric},{loaded.filter}", subtask.task.aggregation()[loaded.metric]
    score = score_of(loaded.measure.kind, key, metrics, aggregation)
    if score is None:
        # What the metric passes over has not failed: it is no item of this one.
        passes = is_passed_over(loaded.measure.kind, key, metrics, aggregation)
        error = None if passes else f"the task gave no {loaded.metric} for this item"
        return Outcome.of(given, target=target, metrics=metrics if passes else None, error=error)
    answer = _answer(loaded, given, requests)
    if subtask.asks_letters and answer is not None:
        answer = letter_in(answer, question_of_task(subtask.task.config, doc))
    return Outcome.of(given, target=target, answer=answer, score=score, metrics=metrics)


def _requests(subtask: Subtask, number: int, doc: object, samples: Sequence[Answer]) -> list[Instance]:
    """Put stored answers back into lm-eval's request objects, with their responses, one for each sample."""
    from lm_eval.api.instance import Instance

    kind: RequestType = "loglikelihood_rolling"
    responses: list[list[object]] = [list(each.log_probabilities or ()) for each in samples]
    if samples[0].generations is not None:
        kind, responses = "generate_until", [list(each.generations or ()) for each in samples]
    elif samples[0].greedy is not None:
        pairs = [zip(each.log_probabilities or (), each.greedy or (), strict=True) for each in samples]
        kind, responses = "loglikelihood", [list(each) for each in pairs]
    requests = []
    for index in range(len(responses[0])):
        request = Instance(kind, doc, (samples[0].prompt, ""), index, (subtask.name, number, len(samples)))
        request.resps = [each[index] for each in responses]
        requests.append(request)
    return requests


def _answer(loaded: LoadedTask, given: Answer, requests: Sequence[Instance]) -> str | None:
    """What the model is taken to have said: the choice that the metric looks at, or the extracted answer."""
    if given.generations is not None:
        return str(requests[0].filtered_resps.get(loaded.filter, ""))
    return chosen_answer(given.choices, given.log_probabilities, loaded.metric)


def chosen_answer(choices: Sequence[str] | None, values: Sequence[float] | None, metric: str) -> str | None:
    """The choice that a metric looks at: the likeliest, or of `acc_norm` the likeliest a letter."""
    if not choices or len(choices) < 2 or values is None:
        return None
    lengths = [len(choice) if metric == "acc_norm" else 1 for choice in choices]
    weighed = [value / max(length, 1) for value, length in zip(values, lengths, strict=False)]
    return str(choices[weighed.index(max(weighed))])
