"""The items of one model on one task as a tool stored them, scored by the metric that is compared.

What the tool says itself is held against the items: how many there are, and the value of every metric.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from mplus_eval.capability.clusters import Names, names_of
from mplus_eval.capability.metric_values import Aggregation, Value, as_given, is_passed_over, kind_of, score_of
from mplus_eval.capability.score import chosen_answer
from mplus_eval.capability.task_config import GroupAverage
from mplus_eval.errors import UsageError
from mplus_eval.importers.base import StoredItem, StoredMetric, StoredSubtask, StoredTask
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.suite import SuiteTask
from mplus_eval.statistics.measure import Measure

_EQUAL = 1e-9
"""Relative difference up to which two sums of the same numbers in another order are equal."""
Place = tuple[str, int]
"""What pairs an item, and the number of the sample."""


class RefusedTaskError(UsageError):
    """A task of one model that cannot be compared, while its other tasks can."""


@dataclass(frozen=True)
class Scored:
    """One sample of one item without what was asked and said, which is read again when it is stored."""

    label: str
    target: str | None
    answer: str | None
    score: float | None
    metrics: Mapping[str, float]
    error: str | None
    names: Names
    chance: float


@dataclass(frozen=True)
class StoredItems:
    """A task of one model with its items, by subtask and place, in the order of the source."""

    task: StoredTask
    metric: str
    filter: str
    measure: Measure
    aggregations: Mapping[str, Aggregation] = field(repr=False)
    averages: tuple[GroupAverage, ...]
    items: Mapping[str, Mapping[Place, Scored]] = field(repr=False)

    @classmethod
    def of(cls, task: StoredTask, spec: SuiteTask, *, strict: bool) -> StoredItems:
        """Read and score.

        Args:
            task: as it is stored.
            spec: what the suite says of it.
            strict: whether the suite's metric and filter must be there; the tool's first ones are taken otherwise.

        Raises:
            RefusedTaskError: the metric is not there, or the items give another value than the tool says.
            UsageError: a file is damaged.
        """
        metric = _chosen("metric", spec.metric, list(_pairable(task.metrics)), strict=strict)
        filter_name = _chosen("filter", spec.filter, task.filters, strict=strict)
        aggregations = {name: _aggregation(each) for name, each in task.metrics.items()}
        kind = kind_of(aggregations[metric])
        assert kind is not None
        reader = _Reader(spec, metric, f"{metric},{filter_name}", aggregations[metric], Measure(kind))
        items = {subtask.name: dict(reader.read(subtask)) for subtask in task.subtasks}
        found = {name: _values(aggregations, of_subtask) for name, of_subtask in items.items()}
        for subtask in task.subtasks:
            n = len(items[subtask.name])
            if subtask.n_items is not None and subtask.n_items != n:
                raise RefusedTaskError(f"{subtask.name} has {n} items, and its results say {subtask.n_items}")
            for key, value in subtask.values.items():
                _hold(f"{key} of {subtask.name}", found[subtask.name].get(key), value, rounded=task.rounded)
        sizes = {name: len(of_subtask) for name, of_subtask in items.items()}
        averages = tuple(_averages(task, found, sizes))
        by_size = next((each.by_size for each in averages if each.metric == metric), True)
        return cls(task, metric, filter_name, Measure(kind, by_size), aggregations, averages, items)

    @property
    def subtasks(self) -> tuple[str, ...]:
        """Their names, in the order of the source."""
        return tuple(self.items)

    def settings(self, subtask: str) -> Mapping[str, str]:
        """What must be alike in two models."""
        return next((each.settings for each in self.task.subtasks if each.name == subtask), {})

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return self.task.metrics[self.metric].higher_is_better

    def labels(self, subtask: str) -> dict[str, str]:
        """What the items of a subtask are called, by what pairs them, in the order of the source."""
        return {key: each.label for (key, _), each in self.items.get(subtask, {}).items()}

    def samples(self, subtask: str, key: str) -> Iterator[tuple[int, Scored]]:
        """The samples of one item, by number."""
        own = self._by_key.get((subtask, key), {})
        yield from sorted(own.items())

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], Mapping[int, Scored]]:
        found: dict[tuple[str, str], dict[int, Scored]] = defaultdict(dict)
        for name, of_subtask in self.items.items():
            for (key, sample), each in of_subtask.items():
                found[name, key][sample] = each
        return found


@dataclass(frozen=True)
class _Reader:
    """Scores items by one metric."""

    spec: SuiteTask
    metric: str
    key: str
    aggregation: Aggregation
    measure: Measure

    def read(self, subtask: StoredSubtask) -> Iterator[tuple[Place, Scored]]:
        """The items of a subtask."""
        for item in subtask.read():
            yield (item.key, item.outcome.sample), self._scored(subtask.name, item)

    def _scored(self, subtask: str, item: StoredItem) -> Scored:
        outcome, kind = item.outcome, self.measure.kind
        metrics = outcome.metrics or {}
        score = None if outcome.error else score_of(kind, self.key, metrics, self.aggregation)
        error = outcome.error
        if score is None and error is None and not is_passed_over(kind, self.key, metrics, self.aggregation):
            error = f"the source gives no {self.metric} for this item"
        names = Names(outcome.cluster) if outcome.cluster is not None else self._names(subtask, item)
        return Scored(item.label, outcome.target, self._answer(item), score, metrics, error, names, item.chance)

    def _names(self, subtask: str, item: StoredItem) -> Names:
        """What the stored document says that it belongs to; nothing where it is malformed, as in data read here."""
        document, names = item.document, Names()
        if document is None:
            return names
        for key, column in (("cluster", self.spec.cluster), ("same_question", self.spec.same_question)):
            if column and column.isidentifier() and column not in document:
                raise UsageError(f"{key} {column!r} is no column of {subtask}: {', '.join(document)[:200]}")
        with suppress(Exception):  # a template may raise anything
            names = names_of(document, subtask, self.spec.cluster, self.spec.same_question)
        return names

    def _answer(self, item: StoredItem) -> str | None:
        """What the model is taken to have said: the extracted answer, or the choice that the metric looks at."""
        outcome = item.outcome
        if outcome.generations is not None or outcome.answer is not None:
            return item.by_filter.get(self.key.rpartition(",")[2], outcome.answer)
        return chosen_answer(outcome.choices, outcome.log_probabilities, self.metric)


def _pairable(metrics: Mapping[str, StoredMetric]) -> Iterator[str]:
    """The metrics that items can be paired by; means first."""
    kinds = {name: kind_of(_aggregation(each)) for name, each in metrics.items()}
    yield from sorted((name for name, kind in kinds.items() if kind), key=lambda name: kinds[name] != "mean")


def _aggregation(metric: StoredMetric) -> Aggregation:
    """lm-eval's function of that name; a mean where the task has one of its own, which its value then confirms."""
    from lm_eval.api.metrics import mean
    from lm_eval.api.registry import get_aggregation

    named: Aggregation | None = get_aggregation(metric.aggregation) if metric.aggregation else None
    return named or mean


def _chosen(noun: str, wanted: str | None, there: Sequence[str], *, strict: bool) -> str:
    if not there:
        raise RefusedTaskError(f"it has no {noun} by which items can be paired")
    if wanted is None or (wanted not in there and not strict):
        return there[0]
    if wanted not in there:
        raise RefusedTaskError(f"{noun} {wanted!r} is not stored; {nearest(wanted, list(there))}")
    return wanted


def _values(aggregations: Mapping[str, Aggregation], items: Mapping[Place, Scored]) -> dict[str, float]:
    """The value of every metric over the items of a subtask, as the tool makes it."""
    values: dict[str, list[Value]] = defaultdict(list)
    for each in items.values():
        for key, value in as_given(dict(each.metrics)).items():
            values[key].append(value)
    found = {}
    for key, of_items in values.items():
        aggregation = aggregations.get(key.rpartition(",")[0])
        if aggregation is None or len(of_items) < len(items):
            continue
        try:
            number = float(aggregation(list(of_items)))
        except Exception:  # noqa: BLE001 - lm-eval's functions may raise anything at what is not theirs
            continue
        if math.isfinite(number):
            found[key] = number
    return found


def _hold(what: str, found: float | None, told: float, *, rounded: bool) -> None:
    """Hold a value that the items give against the tool's own."""
    if found is not None and math.isfinite(told) and not _equal(found, told, rounded=rounded):
        raise RefusedTaskError(f"{what}: its samples give {found!r}, and its results say {told!r}")


def _equal(found: float, told: float, *, rounded: bool) -> bool:
    """Whether two values are the same; of one that is rounded, to its last digit, and to two at least."""
    exponent = Decimal(repr(told)).as_tuple().exponent
    n_digits = max(-exponent, 2) if rounded and isinstance(exponent, int) else None
    unit = _EQUAL if n_digits is None else 0.51 * 10**-n_digits
    return math.isclose(found, told, rel_tol=_EQUAL, abs_tol=unit)


def _averages(
    task: StoredTask, found: Mapping[str, Mapping[str, float]], sizes: Mapping[str, int]
) -> Iterator[GroupAverage]:
    """How subtasks count in the values of a group: by their items or alike, whichever gives the tool's own."""
    for key, told in task.values.items():
        metric, _, filter_name = key.rpartition(",")
        values = {name: each[key] for name, each in found.items() if key in each}
        if not values or not math.isfinite(told):
            continue
        weighted = sum(value * sizes[name] for name, value in values.items()) / sum(sizes[name] for name in values)
        alike = sum(values.values()) / len(values)
        by_size = _equal(weighted, told, rounded=task.rounded)
        if not by_size and not _equal(alike, told, rounded=task.rounded):
            _hold(f"{key} of {task.name}", weighted, told, rounded=task.rounded)
        if len(task.subtasks) > 1:
            yield GroupAverage(metric, (filter_name,), by_size)
