"""What a metric gives for one item, as it is stored and as lm-eval's aggregations take it.

Most metrics are a number for each item. Others are a few numbers, which the aggregation of all items takes apart: the
log-likelihood of a text and its bytes, right answer and chosen one. What holds texts or arrays is not stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mplus_eval.statistics.pairing import map_pairs

Aggregation = Callable[[list[Any]], Any]
"""lm-eval's way from the values of all items of a subtask to one number."""
Kind = Literal["mean", "rate", "perplexity"]
Value = float | tuple[float, ...]

_PROBES = ([0.25, 1.0, 0.0, 0.5], [1.0], [0.0, 0.0, 0.125])


def kind_of(aggregation: Aggregation) -> Kind | None:
    """What a task's value is whose metric is aggregated so; None where it is nothing that items can be paired by.

    A task's own function is a mean if it gives the mean of a few numbers, as that of RULER does.
    """
    from lm_eval.api.metrics import bits_per_byte, mean, perplexity, weighted_perplexity

    if aggregation is bits_per_byte:
        return "rate"
    if aggregation in (perplexity, weighted_perplexity):
        return "perplexity"
    if aggregation is mean or all(_gives_mean(aggregation, probe) for probe in _PROBES):
        return "mean"
    return None


def _gives_mean(aggregation: Aggregation, probe: Sequence[float]) -> bool:
    try:
        return abs(float(aggregation(list(probe))) - sum(probe) / len(probe)) < 1e-12
    except Exception:  # noqa: BLE001 - a task's code is foreign and may raise anything at numbers that are not its own
        return False


def leaves_out(aggregation: Aggregation, value: float) -> bool:
    """Whether a mean passes this item over, as that of RULER does −1, which means another length."""
    try:
        return float(aggregation([value, 0.25])) == 0.25 != value
    except Exception:  # noqa: BLE001 - as above
        return False


def is_passed_over(kind: Kind, key: str, metrics: Mapping[str, float], aggregation: Aggregation) -> bool:
    """Whether the aggregation of a mean leaves an item out; arguments as of `score_of`."""
    value = metrics.get(key)
    return kind == "mean" and value is not None and leaves_out(aggregation, value)


def as_given(metrics: object) -> dict[str, Value]:
    """The values of one item by `metric,filter` as the metrics gave them, from what is stored of them.

    Args:
        metrics: a map of string to number, as a dict or, as pandas reads Parquet, a list of pairs; or null.
    """
    if isinstance(metrics, dict) and ":" not in "".join(metrics):
        return {name: number for name, number in metrics.items() if number is not None}
    values: dict[str, Value] = {}
    several: dict[str, dict[int, float]] = {}
    for name, number in map_pairs(metrics):
        key, colon, place = name.rpartition(":")
        if colon and place.isdigit():
            several.setdefault(key, {})[int(place)] = number
        elif number is not None:
            values[name] = number
    return values | {key: tuple(numbers[place] for place in sorted(numbers)) for key, numbers in several.items()}


def score_of(kind: Kind, key: str, metrics: Mapping[str, float], aggregation: Aggregation) -> float | None:
    """An item's score: its value, or its loss in bits (`rate`) or nats (`perplexity`); None where there is none.

    Args:
        kind: of the task's value.
        key: `metric,filter` of the task.
        metrics: of the item, as they are stored.
        aggregation: the task's.
    """
    value = metrics.get(f"{key}:0", metrics.get(key)) if kind != "mean" else metrics.get(key)
    if value is None or not math.isfinite(value) or is_passed_over(kind, key, metrics, aggregation):
        return None
    return {"mean": value, "rate": -value / math.log(2.0), "perplexity": -value}[kind]
