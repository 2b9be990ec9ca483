"""Scores: answers turned into outcomes by the task's own metric. Needs the stored answers and the task, no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from mplus_eval.capability.items import Leaf, LoadedTask

Row = dict[str, Any]


def score_items(loaded: LoadedTask, leaf: Leaf, answers: Sequence[Row], numbers: range) -> list[Row]:
    """Score the answers to some items of a leaf task with lm-eval's filters and metrics.

    Args:
        loaded: the task that the leaf belongs to.
        leaf: the leaf task.
        answers: rows with the columns of `ANSWER_SCHEMA`.
        numbers: which of the leaf's items they are.

    Returns:
        One row for each item, with the columns of `OUTCOME_SCHEMA`. Where the task combines several samples into one
        answer (a majority vote), the row is that of the combined answer.
    """
    items: dict[str, list[Row]] = defaultdict(list)
    for row in answers:
        items[row["item_id"]].append(row)
    docs = {
        leaf.item_id(number): doc for number, doc in leaf.task.doc_iterator(limit=numbers.stop) if number in numbers
    }
    good = {item_id: rows for item_id, rows in items.items() if not any(row["error"] for row in rows)}
    scored = dict(_scored(loaded, leaf, good, docs))
    return [rows[0] | scored.get(item_id, _unscored(leaf, docs[item_id], rows[0])) for item_id, rows in items.items()]


def _scored(
    loaded: LoadedTask, leaf: Leaf, items: Mapping[str, list[Row]], docs: Mapping[str, Any]
) -> Iterator[tuple[str, Row]]:
    from mplus_eval.backends.lm_eval_private import set_requests

    requests = {item_id: _requests(leaf, number, docs[item_id], items[item_id]) for number, item_id in enumerate(items)}
    if not requests:
        return
    set_requests(leaf.task, [request for group in requests.values() for request in group])
    leaf.task.apply_filters()
    for item_id, group in requests.items():
        try:
            metrics = _metrics(leaf, docs[item_id], group)
        except Exception as error:  # noqa: BLE001 - a task's code is foreign and may raise anything; the item keeps its cause
            yield item_id, _failed(leaf, docs[item_id], f"the task's metric failed: {type(error).__name__}: {error}")
            continue
        score = metrics.get(f"{loaded.metric},{loaded.filter}")
        if score is None:
            yield item_id, _failed(leaf, docs[item_id], f"the task gave no {loaded.metric} for this item")
            continue
        target, answer = leaf.target_of(docs[item_id]), _answer(loaded, items[item_id][0], group)
        yield item_id, {"target": target, "answer": answer, "score": score, "metrics": metrics}


def _requests(leaf: Leaf, number: int, doc: Any, rows: Sequence[Row]) -> list[Any]:
    """Put stored answers back into lm-eval's request objects, with their responses, one for each sample."""
    from lm_eval.api.instance import Instance

    kind, responses = _responses(rows)
    requests = []
    for index in range(len(responses[0])):
        request = Instance(kind, doc, (rows[0]["prompt"], ""), index, (leaf.name, number, len(rows)))
        request.resps = [sample[index] for sample in responses]
        requests.append(request)
    return requests


def _responses(rows: Sequence[Row]) -> tuple[Any, list[list[Any]]]:
    """The request type, and for each sample the responses in lm-eval's form."""
    if rows[0]["generations"] is not None:
        return "generate_until", [row["generations"] for row in rows]
    if rows[0]["greedy"] is not None:
        return "loglikelihood", [list(zip(row["log_probabilities"], row["greedy"], strict=True)) for row in rows]
    return "loglikelihood_rolling", [row["log_probabilities"] for row in rows]


def _metrics(leaf: Leaf, doc: Any, requests: Sequence[Any]) -> dict[str, float]:
    """Every metric of an item that is a number, by `metric,filter`."""
    found: dict[str, float] = {}
    for name in requests[0].filtered_resps:
        results = leaf.task.process_results(doc, [request.filtered_resps[name] for request in requests])
        found |= {f"{metric},{name}": float(value) for metric, value in results.items() if isinstance(value, Real)}
    return found


def _answer(loaded: LoadedTask, row: Row, requests: Sequence[Any]) -> str | None:
    """What the model is taken to have said: the choice that the metric looks at, or the extracted answer."""
    choices, values = row["choices"], row["log_probabilities"]
    if row["generations"] is not None:
        return str(requests[0].filtered_resps.get(loaded.filter, ""))
    if not choices or len(choices) < 2:
        return None
    lengths = [len(choice) if loaded.metric == "acc_norm" else 1 for choice in choices]
    weighed = [value / max(length, 1) for value, length in zip(values, lengths, strict=False)]
    return str(choices[weighed.index(max(weighed))])


def _failed(leaf: Leaf, doc: Any, cause: str) -> Row:
    return {"target": leaf.target_of(doc), "answer": None, "score": None, "metrics": None, "error": cause}


def _unscored(leaf: Leaf, doc: Any, row: Row) -> Row:
    return _failed(leaf, doc, str(row["error"]))
