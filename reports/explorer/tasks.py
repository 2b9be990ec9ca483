"""Tasks: the items of every model side by side, with the question told apart from its few-shot examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mplus_eval.records.comparison import Comparison, Task
from mplus_eval.reports.explorer.collection import (
    Choice,
    Collection,
    Item,
    Scale,
    SharedTexts,
    Texts,
    answer_texts,
    collect,
    preview,
    rounded,
    without_nothing,
)
from mplus_eval.reports.explorer.fewshot import paragraphs, question_starts
from mplus_eval.reports.explorer.states import Result
from mplus_eval.reports.stored import StoredAnswer, read_answers
from mplus_eval.reports.thinking import THINKING_COLUMNS
from mplus_eval.reports.units import Unit
from mplus_eval.store.run_directory import RunDirectory

COLUMNS = (
    "stratum", "prompt_hash", "choices", "log_probabilities", "generations", "target", "answer", "score", "error",
    "n_truncated", *THINKING_COLUMNS,
)  # fmt: skip

Key = tuple[str, str, int]
"""A stratum, an item of it, and a sample."""
Rows = dict[Key, StoredAnswer]


def task_collections(comparison: Comparison, run: RunDirectory, choice: Choice) -> Iterator[Collection]:
    """A collection of each task that has stored outcomes."""
    for name, task in comparison.tasks.items():
        folders = {model: run.outcomes(model, name) for model in comparison.models}
        rows = {model: read for model, folder in folders.items() if (read := _read(folder, COLUMNS))}
        keys = list(dict.fromkeys(key for read in rows.values() for key in read))
        if not keys:
            continue
        table = _Table(task, rows, keys, _prompts(rows, folders))
        found = collect(
            name,
            "task",
            choice,
            baseline=comparison.baseline,
            items=table.items,
            results={model: [table.result(read.get(key)) for key in keys] for model, read in rows.items()},
            texts=table.texts,
            facts={"metric": task.metric, "scale": table.scale, "byLength": task.metric == "acc_norm"},
            wrong=table.wrong,
        )
        if found:
            yield found


class _Table:
    """The stored rows of one task, by model and item."""

    def __init__(
        self, task: Task, rows: Mapping[str, Rows], keys: Sequence[Key], prompts: Mapping[tuple[Key, str], str]
    ) -> None:
        self._rows, self._keys, self._every_prompt = rows, keys, prompts
        self._unit = Unit.of(task)
        # That of the first model that was asked; one that was asked otherwise shows its own prompt beside its answer.
        self._prompts: dict[Key, str] = {}
        for (key, _), prompt in prompts.items():
            self._prompts.setdefault(key, prompt)
        self._starts = _starts(self._prompts, task)
        self.items = [
            Item(item_id, stratum, preview(self._question((stratum, item_id, sample))))
            for stratum, item_id, sample in keys
        ]

    @property
    def scale(self) -> Scale:
        """How scores are written."""
        if not self._unit.is_fraction:
            return "plain"
        return "right" if self._unit.higher_is_better else "fraction"

    @property
    def wrong(self) -> float | None:
        """The value that means wrong."""
        return self._unit.gain(0.0 if self._unit.higher_is_better else 1.0) if self._unit.is_fraction else None

    def result(self, row: StoredAnswer | None) -> Result | None:
        """One model on one item."""
        if row is None:
            return None
        value = None if row.score is None else self._unit.gain(row.score)
        return Result(row.score, value, row.answer, failed=row.score is None and row.error is not None)

    def texts(self, place: int, shared: SharedTexts) -> Texts:
        """What is shown of one item."""
        key = self._keys[place]
        rows = {model: read.get(key) for model, read in self._rows.items()}
        stored = [row for row in rows.values() if row]
        choices = next((list(row.choices) for row in stored if row.choices), None)
        examples = self._prompts.get(key, "")[: self._starts.get(key, 0)]
        return without_nothing(
            {
                "q": self._question(key),
                "s": [shared.number(text) for text in paragraphs(examples)] or None,
                "t": next((row.target for row in stored if row.target is not None), None),
                "c": choices,
                "a": [row and self._answer(key, row, choices, shared) for row in rows.values()],
            }
        )

    def _answer(self, key: Key, row: StoredAnswer, choices: Sequence[str] | None, shared: SharedTexts) -> Texts:
        """What is shown of one model's answer; what it was taken to say is left out where that is all it wrote."""
        own = self._every_prompt[key, row.prompt_hash]
        picked = _picked(row, choices)
        said = "\n".join(row.generations).strip() if row.generations else ""
        return answer_texts(row) | without_nothing(
            {
                "l": rounded(row.log_probabilities) if choices else None,
                "k": picked,
                "w": row.answer if picked is None and row.answer != said else None,
                "p": None if own == self._prompts[key] else [shared.number(text) for text in paragraphs(own)],
            }
        )

    def _question(self, key: Key) -> str:
        return self._prompts.get(key, "")[self._starts.get(key, 0) :]


def _read(folder: Path, columns: Sequence[str], item_ids: set[str] | None = None) -> Rows:
    return {(row.stratum, row.item_id, row.sample): row for row in read_answers(folder, columns, item_ids)}


def _picked(row: StoredAnswer, choices: Sequence[str] | None) -> int | None:
    """Which choice the metric looks at; of equal texts the likeliest one."""
    values = row.log_probabilities
    if not (values and choices) or row.answer not in choices:
        return None
    places = [place for place, text in enumerate(choices) if text == row.answer and place < len(values)]
    return max(places, key=lambda place: values[place], default=None)


def _prompts(rows: Mapping[str, Rows], folders: Mapping[str, Path]) -> dict[tuple[Key, str], str]:
    """Every prompt once, by item and hash; that of the first model that was asked stands first."""
    prompts: dict[tuple[Key, str], str] = {}
    for model, read in rows.items():
        new = {key for key, row in read.items() if (key, row.prompt_hash) not in prompts}
        item_ids = None if len(new) == len(read) else {item_id for _, item_id, _ in new}
        for key, row in _read(folders[model], ("stratum", "prompt"), item_ids).items():
            if key in new:
                prompts[key, read[key].prompt_hash] = row.prompt
    return prompts


def _starts(prompts: Mapping[Key, str], task: Task) -> dict[Key, int]:
    """Where the question begins in every prompt, found subject by subject."""
    by_subject: dict[str, list[Key]] = defaultdict(list)
    for key in prompts:
        by_subject[key[0]].append(key)
    starts: dict[Key, int] = {}
    for keys in by_subject.values():
        found = question_starts([prompts[key] for key in keys], task.n_shots, has_description=task.has_description)
        starts |= dict(zip(keys, found, strict=True))
    return starts
