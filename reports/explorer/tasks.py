"""Tasks: the items of every model side by side, with the question told apart from its few-shot examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

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
from mplus_eval.reports.stored import StoredAnswer
from mplus_eval.reports.task_rows import Key, TaskRows
from mplus_eval.reports.units import Unit


def task_collection(comparison: Comparison, stored: TaskRows, choice: Choice) -> Collection | None:
    """The collection of a task; None where no item is to be shown."""
    if choice == "none":
        return None
    task = comparison.tasks[stored.task]
    table = _Table(task, stored)
    return collect(
        stored.task,
        "task",
        choice,
        baseline=comparison.baseline,
        items=table.items,
        results={model: list(map(table.result, rows)) for model, rows in stored.of_models.items()},
        texts=table.texts,
        facts={"metric": task.metric, "scale": table.scale, "byLength": task.metric == "acc_norm"},
        wrong=table.wrong,
    )


class _Table:
    """The stored rows of one task, by model and item."""

    def __init__(self, task: Task, stored: TaskRows) -> None:
        self._rows, self._prompts = stored.of_models, stored.prompts
        self._unit = Unit.of(task)
        # That of the first model that was asked; one that was asked otherwise shows its own prompt beside its answer.
        self._first: list[str] = [
            next(prompt for prompt in of_item if prompt is not None)
            for of_item in zip(*self._prompts.values(), strict=True)
        ]
        self._starts = _starts(self._first, stored.keys, task)
        self.items = [
            Item(item_id, stratum, preview(self._question(place)))
            for place, (stratum, item_id, _) in enumerate(stored.keys)
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
        rows = [of_model[place] for of_model in self._rows.values()]
        prompts = [of_model[place] for of_model in self._prompts.values()]
        stored = [row for row in rows if row]
        choices = next((list(row.choices) for row in stored if row.choices), None)
        first, start = self._first[place], self._starts[place]

        def answer(row: StoredAnswer, prompt: str | None) -> Texts:
            """Of one model; what it was taken to say is left out where that is all it wrote."""
            picked = _picked(row, choices)
            said = "\n".join(row.generations).strip() if row.generations else ""
            own = None if prompt is None or prompt == first else paragraphs(prompt)
            return answer_texts(
                row,
                l=rounded(row.log_probabilities) if choices else None,
                k=picked,
                w=row.answer if picked is None and row.answer != said else None,
                p=own and [shared.number(text) for text in own],
            )

        return without_nothing(
            {
                "q": self._question(place),
                "s": [shared.number(text) for text in paragraphs(first[:start])] or None,
                "t": next((row.target for row in stored if row.target is not None), None),
                "c": choices,
                "a": [None if row is None else answer(row, prompt) for row, prompt in zip(rows, prompts, strict=True)],
            }
        )

    def _question(self, place: int) -> str:
        return self._first[place][self._starts[place] :]


def _picked(row: StoredAnswer, choices: Sequence[str] | None) -> int | None:
    """Which choice the metric looks at; of equal texts the likeliest one."""
    values = row.log_probabilities
    if not (values and choices) or row.answer not in choices:
        return None
    places = [place for place, text in enumerate(choices) if text == row.answer and place < len(values)]
    return max(places, key=lambda place: values[place], default=None)


def _starts(prompts: Sequence[str], keys: Sequence[Key], task: Task) -> list[int]:
    """Where the question begins in every prompt, found subject by subject."""
    by_subject: dict[str, list[int]] = defaultdict(list)
    for place, (subject, _, _) in enumerate(keys):
        by_subject[subject].append(place)
    starts = [0] * len(prompts)
    for places in by_subject.values():
        of_subject = [prompts[place] for place in places]
        found = question_starts(of_subject, task.n_shots, has_description=task.has_description)
        for place, start in zip(places, found, strict=True):
            starts[place] = start
    return starts
