"""Models held against each other on one task before anything is compared: what must be alike, and which items all have.

    another version, other shots, another way to generate    the task is refused for that model
    other items                                              all models are restricted to those that all have

The first model of a task says what the others must have alike: the baseline, where its results are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mplus_eval.capability.clusters import cluster_named, joined
from mplus_eval.capability.further_metrics import FurtherMetrics
from mplus_eval.capability.stored_items import StoredItems
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import SuiteTask
from mplus_eval.store.outcomes import Answer, Outcome

Keys = Mapping[str, Sequence[str]]
"""What pairs items, by subtask."""


@dataclass(frozen=True)
class SharedItem:
    """One item that all models have.

    Attributes:
        number: of its document, or its place in the source.
        name: its `item_id`, the same for every model.
        key: what pairs it.
    """

    number: int
    name: str
    key: str


@dataclass(frozen=True)
class Here:
    """What models that are run here would be asked of one task.

    Attributes:
        alike: what must be alike in two models, by subtask.
        numbers: of the documents, by subtask and by what pairs them.
    """

    alike: Mapping[str, Mapping[str, str]]
    numbers: Mapping[str, Mapping[str, int]] = field(repr=False)

    def settings(self, subtask: str) -> Mapping[str, str]:
        """What must be alike in two models."""
        return self.alike.get(subtask, {})

    def labels(self, subtask: str) -> dict[str, str]:
        """What the items of a subtask are called, by what pairs them."""
        return {key: str(number) for key, number in self.numbers.get(subtask, {}).items()}


Side = StoredItems | Here
"""What one model brings to a task."""


@dataclass(frozen=True)
class SharedTask:
    """One task with the items that all models have which are not refused.

    Attributes:
        spec: what the suite says of it, with the metric, filter and shots that were used.
        first: of the model that says what the others must have alike.
        stored: the models whose results are stored and not refused.
        items: by subtask, in the order of their numbers.
        refused: why a model is not compared on it, by model.
        lines: what is to be said of the items.
        departs: in what the tool asked otherwise than the suite would.
    """

    spec: SuiteTask
    first: StoredItems
    stored: Mapping[str, StoredItems]
    items: Mapping[str, Sequence[SharedItem]]
    refused: Mapping[str, str]
    lines: tuple[str, ...] = ()
    departs: tuple[str, ...] = ()

    @property
    def n_items(self) -> int:
        """How many items all models have."""
        return sum(map(len, self.items.values()))

    @property
    def n_available(self) -> int:
        """How many the first one has."""
        return sum(len(self.first.labels(name)) for name in self.first.subtasks)

    @property
    def chance(self) -> float:
        """The score that guessing would have on the shared items."""
        chances = [
            next(self.first.samples(name, item.key))[1].chance for name, items in self.items.items() for item in items
        ]
        return sum(chances) / max(len(chances), 1)

    @property
    def kind(self) -> str:
        """What is asked for."""
        kinds = {subtask.kind for subtask in self.first.task.subtasks}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def further(self) -> FurtherMetrics:
        """How its other metrics are aggregated."""
        return FurtherMetrics(dict.fromkeys(self.first.subtasks, self.first.aggregations), self.first.averages)

    def clusters(self, model: str) -> Mapping[tuple[str, str], str | None]:
        """By subtask and key, the cluster of every stored item of a model."""
        stored = self.stored[model]
        names = {(name, key): each.names for name, own in stored.items.items() for (key, _), each in own.items()}
        joins = joined(list(names.values())) if self.spec.same_question is not None else {}
        return {place: cluster_named(each, joins) for place, each in names.items()}

    def answers(self, model: str, subtask: str) -> Mapping[int, Sequence[Answer]]:
        """What a model said to the shared items of a subtask, read again, by the items' numbers.

        Raises:
            UsageError: the file is not as it was when it was first read.
        """
        items, clusters = {item.key: item for item in self.items[subtask]}, self.clusters(model)
        stored = next(each for each in self.stored[model].task.subtasks if each.name == subtask)
        found: dict[int, list[Answer]] = {}
        for each in stored.read():
            if (item := items.get(each.key)) is not None:
                cluster = clusters.get((subtask, item.key))
                found.setdefault(item.number, []).append(replace(each.outcome, item_id=item.name, cluster=cluster))
        if len(found) < len(items):
            raise UsageError(f"{', '.join(stored.files)} changed while it was read")
        return found

    def outcomes(self, model: str, subtask: str, answers: Sequence[Answer]) -> list[Outcome]:
        """Answers with the scores that the tool gave them."""
        keys = {item.name: item.key for item in self.items[subtask]}
        stored = self.stored[model]
        outcomes = []
        for given in answers:
            scored = dict(stored.samples(subtask, keys[given.item_id]))[given.sample]
            added = {key: getattr(scored, key) for key in ("target", "answer", "score", "metrics", "error")}
            outcomes.append(Outcome.of(given, **added))
        return outcomes


def share(spec: SuiteTask, sides: Mapping[str, Side], refused: Mapping[str, str]) -> SharedTask:
    """Hold the models of one task against each other.

    Args:
        spec: what the suite says of it.
        sides: what each model brings, by model.
        refused: why a model brings nothing.
    """
    leader, first = next((model, side) for model, side in sides.items() if isinstance(side, StoredItems))
    refused = dict(refused)
    common = {name: list(first.labels(name)) for name in first.subtasks}
    for model, side in sides.items():
        narrowed = {name: _among(keys, side.labels(name)) for name, keys in common.items()}
        if why := _differ(first, side, leader):
            refused[model] = why
        elif not any(narrowed.values()):
            refused[model] = f"it has no item in common with {leader}"
        else:
            common = narrowed
    left = {model: side for model, side in sides.items() if model not in refused}
    here = next((side for side in left.values() if isinstance(side, Here)), None)
    n_shots = first.task.n_shots
    return SharedTask(
        spec=spec.model_copy(update={"metric": first.metric, "filter": first.filter, "shots": n_shots}),
        first=first,
        stored={model: side for model, side in left.items() if isinstance(side, StoredItems)},
        items={name: _named(name, keys, first, here) for name, keys in common.items()},
        refused=refused,
        lines=tuple(_lines(spec.name, leader, left, common)),
        departs=(f"{n_shots} shots instead of {spec.shots}",) if spec.shots not in (None, n_shots) else (),
    )


def _among(keys: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    return [key for key in keys if key in labels]


def _differ(first: StoredItems, side: Side, leader: str) -> str:
    """What a model was asked otherwise than the first one; empty where it is nothing."""
    for name in first.subtasks:
        own, other = side.settings(name), first.settings(name)
        if not side.labels(name):
            continue
        for key in dict.fromkeys((*other, *own)):
            if own.get(key) != other.get(key):
                told = [settings.get(key, "none") for settings in (own, other)]
                return f"{key} of {name} is {_short(told[0])}, and of {leader} {_short(told[1])}"
    if isinstance(side, StoredItems) and (side.metric, side.filter) != (first.metric, first.filter):
        own_metric, other_metric = f"{side.metric},{side.filter}", f"{first.metric},{first.filter}"
        return f"its metric is {own_metric}, and that of {leader} {other_metric}"
    return ""


def _named(subtask: str, keys: Sequence[str], first: StoredItems, here: Here | None) -> list[SharedItem]:
    """Shared items with their names: the numbers of documents here, else of the source, where it has any."""
    labels = first.labels(subtask)
    numbered = all(label.isascii() and label.isdigit() and str(int(label)) == label for label in labels.values())
    items = []
    for place, key in enumerate(labels):
        number = here.numbers[subtask].get(key, -1) if here else int(labels[key]) if numbered else place
        items.append(SharedItem(number, f"{subtask}/{number if here else labels[key]}", key))
    shared = set(keys)
    return sorted((item for item in items if item.key in shared), key=lambda item: item.number)


def _lines(task: str, leader: str, sides: Mapping[str, Side], common: Keys) -> Iterator[str]:
    """How many items are compared, where that is not all of every model, and who lacks how many."""
    subtasks = {name for side in sides.values() if isinstance(side, StoredItems) for name in side.subtasks}
    n = sum(map(len, common.values()))
    counts = {
        model: sum(len(side.labels(name)) for name in subtasks)
        for model, side in sides.items()
        if isinstance(side, StoredItems)
    }
    others = {model: count - n for model, count in counts.items() if count > n}
    if others:
        told = ", ".join(f"{count} of {model}" for model, count in others.items())
        yield f"{task}: {n} items are compared, which all models have; left out: {told}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
