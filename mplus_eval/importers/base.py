"""What every importer makes of a tool's files: tasks of subtasks of items, with the values that the tool found.

    StoredRun       what a tool stored of one model
    StoredTask      a task or a group of tasks, with the tool's own value of each metric
    StoredSubtask   its items, read again from the file whenever they are wanted, and what two models must have alike
    StoredItem      one item: what pairs it, what the model said, and every metric

An importer reads and never judges: which runs can be compared is said by `mplus_eval.capability.stored_tasks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mplus_eval.store.outcomes import Outcome

Kind = Literal["choice", "generation", "text"]


@dataclass(frozen=True)
class StoredItem:
    """One item of one model, with every metric and without a score, since a metric is chosen later.

    Attributes:
        key: what pairs it with the same item of another model, such as the hash of its document.
        label: what it is called; of lm-eval the number of its document.
        outcome: what the model said; `item_id` is left empty, since an item is named when it is paired.
        by_filter: the extracted answer, by filter.
        document: the row of the data, where it is stored, by which passages are known.
        chance: how probable the right answer is by guessing.
    """

    key: str
    label: str
    outcome: Outcome
    by_filter: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    chance: float = 0.0


@dataclass(frozen=True)
class StoredSubtask:
    """One subtask, the stratum of its items.

    Attributes:
        settings: what must be alike for two models to be compared, by name: version, shots, generation.
        kind: what is asked for.
        read: reads the items, in the order of the source.
        files: hashes of the files that it is read from, by name.
        values: the tool's own value, by `metric,filter`.
        n_items: how many items the tool says that there are; None where it does not.
    """

    name: str
    settings: Mapping[str, str]
    kind: Kind
    read: Callable[[], Iterator[StoredItem]]
    files: Mapping[str, str]
    values: Mapping[str, float] = field(default_factory=dict)
    n_items: int | None = None


@dataclass(frozen=True)
class StoredMetric:
    """How a metric is aggregated over items, by lm-eval's name of it, and whether more of it is better."""

    aggregation: str = "mean"
    higher_is_better: bool = True


@dataclass(frozen=True)
class StoredTask:
    """A task, or a group whose subtasks are its strata.

    Attributes:
        name: as the tool calls it.
        metrics: in the tool's order, the one that it shows first in front.
        filters: in the tool's order.
        values: the tool's own value of the whole, by `metric,filter`; empty where it gives none.
        n_shots: few-shot examples in a prompt, the most of any subtask.
        version: of the definition.
        has_description: whether prompts begin with a description.
        rounded: whether the tool's values are rounded to the digits that they show.
    """

    name: str
    subtasks: tuple[StoredSubtask, ...]
    metrics: Mapping[str, StoredMetric]
    filters: tuple[str, ...]
    values: Mapping[str, float]
    n_shots: int = 0
    version: str = ""
    has_description: bool = False
    rounded: bool = False

    @property
    def files(self) -> dict[str, str]:
        """Hashes of the files that it is read from, by name."""
        return {name: digest for each in self.subtasks for name, digest in each.files.items()}


@dataclass(frozen=True)
class StoredRun:
    """What a tool stored of one model.

    Attributes:
        model: as the tool calls it.
        weights: what identifies its weights; empty where nothing does.
        asked_by: the tool and how it ran the model, as `lm-eval hf`.
        chat_template: `plain`, or the beginning of the template's hash, as of models that are run here.
        lm_eval: whether tasks and metrics have lm-eval's names, by which suites know them.
        notes: what is to be said of how it was read, a line each.
    """

    tasks: tuple[StoredTask, ...]
    model: str
    asked_by: str
    files: Mapping[str, str]
    weights: str = ""
    dtype: str | None = None
    parameters: int | None = None
    chat_template: str = "plain"
    lm_eval: bool = False
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """A module of this folder."""

    def read(self, folder: Path) -> StoredRun:
        """Read what a tool stored of one model.

        Raises:
            UsageError: naming the file, and the line where it has some, that is not as the tool writes it.
        """
