"""A task's further metrics, as lm-eval aggregates them; what needs more than is stored of an item is left out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

from mplus_eval.capability.metric_values import Aggregation, Value, as_given, kind_of
from mplus_eval.capability.task_config import GroupAverage, by_size
from mplus_eval.statistics.pairing import have_failed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FurtherMetrics:
    """How the metrics of a task are aggregated.

    Attributes:
        aggregations: by subtask and metric, lm-eval's functions; a metric without one is a mean there and here.
        averages: what the group says of its subtasks' numbers.
    """

    aggregations: Mapping[str, Mapping[str, Aggregation]] = field(default_factory=dict)
    averages: Sequence[GroupAverage] = ()

    def of(self, outcomes: pd.DataFrame, without: str) -> dict[str, float]:
        """The value of every metric of a cell but one, over the items that have not failed.

        Args:
            outcomes: rows with the columns `stratum`, `score` and `metrics`.
            without: `metric,filter` of the task's score.
        """
        scored = outcomes.loc[~have_failed(outcomes), ["stratum", "metrics"]]
        values: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
        strata = [str(stratum) for stratum in scored["stratum"].tolist()]
        for stratum, metrics in zip(strata, scored["metrics"], strict=True):
            for key, value in as_given(metrics).items():
                if key != without:
                    values[key][stratum].append(value)
        sizes = Counter(strata)
        found = {key: self._value(key, of_subtasks, sizes) for key, of_subtasks in sorted(values.items())}
        return {key: value for key, value in found.items() if value is not None}

    def _value(self, key: str, values: Mapping[str, list[Value]], sizes: Mapping[str, int]) -> float | None:
        """One metric over all subtasks that have it."""
        metric, _, filter_name = key.rpartition(",")
        own = {name: self._aggregated(name, metric, each) for name, each in values.items()}
        numbers = {name: number for name, number in own.items() if number is not None}
        if len(numbers) < len(own):
            return None
        if len(sizes) == 1:
            return next(iter(numbers.values()))
        weighs = by_size(self.averages, metric, filter_name)
        if weighs is None:
            # lm-eval prints no number for the whole; a mean over all items has but one meaning.
            if any(self._kind(name, metric) != "mean" for name in numbers):
                return None
            counts: Mapping[str, int] = {name: len(each) for name, each in values.items()}
        else:
            counts = sizes if weighs else dict.fromkeys(sizes, 1)
        return sum(number * counts[name] for name, number in numbers.items()) / sum(counts[name] for name in numbers)

    def _kind(self, subtask: str, metric: str) -> str | None:
        own = self.aggregations.get(subtask, {}).get(metric)
        return "mean" if own is None else kind_of(own)

    def _aggregated(self, subtask: str, metric: str, values: list[Value]) -> float | None:
        """One metric of one subtask; None where lm-eval's function makes no number of what is stored."""
        from lm_eval.api.metrics import bypass_agg, mean

        aggregation = self.aggregations.get(subtask, {}).get(metric, mean)
        if aggregation is bypass_agg:
            return None
        try:
            value = aggregation(list(values))
        except Exception:  # noqa: BLE001 - a task's code is foreign, and may want what no number holds
            return None
        return float(value) if isinstance(value, Real) and math.isfinite(value) else None


NO_FURTHER = FurtherMetrics()
