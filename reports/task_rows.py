"""What is stored of one task, of every model, read once for all that is told of its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.stored import StoredAnswer, read_answers
from mplus_eval.reports.thinking import THINKING_COLUMNS
from mplus_eval.store.run_directory import RunDirectory

COLUMNS = (
    "stratum", "prompt_hash", "choices", "log_probabilities", "generations", "target", "answer", "score", "error",
    "n_truncated", *THINKING_COLUMNS,
)  # fmt: skip

Key = tuple[str, str, int]
"""A stratum, an item of it, and a sample."""
Rows = Sequence[StoredAnswer | None]
"""Of one model, a row for each item; None where it has none."""


@dataclass(frozen=True, eq=False)
class TaskRows:
    """The rows of a task, without the prompts, of which most are the same for all models.

    Attributes:
        task: its name.
        keys: the items of all models.
        of_models: by model that has any, the rows of these items.
        folders: of every model's outcomes.
    """

    task: str
    keys: Sequence[Key]
    of_models: Mapping[str, Rows]
    folders: Mapping[str, Path]

    @classmethod
    def of(cls, task: str, read: Mapping[str, Sequence[StoredAnswer]], folders: Mapping[str, Path]) -> TaskRows:
        """The rows that were read of every model, item by item; of an item that stands twice the last."""
        keys_of = {model: list(map(_key, rows)) for model, rows in read.items()}
        keys = list(dict.fromkeys(chain.from_iterable(keys_of.values())))
        aligned: dict[str, Rows] = {}
        for model, rows in read.items():
            is_aligned = keys_of[model] == keys
            aligned[model] = rows if is_aligned else [*map(dict(zip(keys_of[model], rows, strict=True)).get, keys)]
        return cls(task, keys, aligned, folders)

    @cached_property
    def prompts(self) -> Mapping[str, Sequence[str | None]]:
        """The prompt of each item by model, None where it has none; one that several models had is read once."""
        texts: dict[tuple[int, str], str] = {}
        places = {key: place for place, key in enumerate(self.keys)}
        for model, rows in self.of_models.items():
            own = [(place, row.prompt_hash) for place, row in enumerate(rows) if row]
            new = {self.keys[place] for place, prompt_hash in own if (place, prompt_hash) not in texts}
            item_ids = None if len(new) == len(own) else {item_id for _, item_id, _ in new}
            for read in read_answers(self.folders[model], ("stratum", "prompt"), item_ids):
                if (key := _key(read)) in new:
                    row = rows[place := places[key]]
                    assert row is not None
                    texts[place, row.prompt_hash] = read.prompt
        return {
            model: [texts[place, row.prompt_hash] if row else None for place, row in enumerate(rows)]
            for model, rows in self.of_models.items()
        }


def stored_tasks(comparison: Comparison, run: RunDirectory) -> Iterator[TaskRows]:
    """The rows of every task that has any."""
    for task in comparison.tasks:
        folders = {model: run.outcomes(model, task) for model in comparison.models}
        read = {model: rows for model, folder in folders.items() if (rows := list(read_answers(folder, COLUMNS)))}
        if read:
            yield TaskRows.of(task, read, folders)


def _key(row: StoredAnswer) -> Key:
    return row.stratum, row.item_id, row.sample
