"""A collection: one task, prompt set or set of dialogues with the items of all models, ready to be packed.

The texts of an item are records with short keys, since there are many of them:

    q  the question, prompt or user's words     t  the right answer, or the label of a request     c  choices
    s  numbers of the shared texts before q     a  an answer for each model, null where none is stored
    r  turns, of dialogues: each with q, a and  j  by judge and model

    of an answer: g generations, w what it was taken to say, k the choice that the metric picks, l log-probabilities,
    p numbers of the shared texts of a prompt of its own, e error, h reasoning, n its tokens, u never ended,
    z tokens cut, v score, d ended by itself; of prompt sets there is a list of answers, one a sample
    of a judgement: v preference, f model first, b baseline first, m margin, x reasons, e cause
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mplus_eval.reports.explorer.packing import packed
from mplus_eval.reports.explorer.states import Result, kept, states
from mplus_eval.reports.stored import StoredAnswer

Kind = Literal["task", "prompts", "dialogues"]
Scale = Literal["right", "fraction", "plain", "decimal", "preference"]
"""How the page writes a score: right or wrong, in percent, as it is, with two decimals, or who was preferred."""
Choice = Literal["all", "flips", "none"]
"""Which items are packed: all, those that changed or failed with any model, none."""
CHOICES: tuple[Choice, ...] = get_args(Choice)
Texts = dict[str, Any]

PREVIEW_LENGTH = 90


@dataclass(frozen=True)
class Item:
    """What the list shows of one item besides the results."""

    item_id: str
    subject: str
    preview: str


@dataclass(frozen=True)
class Collection:
    """One task, prompt set or set of dialogues.

    Attributes:
        name: as in the run.
        kind: what its items are.
        n_items: that are packed.
        n_stored: of how many.
        facts: what the page must know to show it.
        text: packed.
    """

    name: str
    kind: Kind
    n_items: int
    n_stored: int
    facts: Mapping[str, object]
    text: str


class SharedTexts:
    """Texts that many items have, each kept once and known by its number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def __iter__(self) -> Iterator[str]:
        """The texts in the order of their numbers."""
        return iter(self._numbers)


def collect(
    name: str,
    kind: Kind,
    choice: Choice,
    *,
    baseline: str,
    items: Sequence[Item],
    results: Mapping[str, Sequence[Result | None]],
    texts: Callable[[int, SharedTexts], Texts],
    facts: Mapping[str, object],
    wrong: float | None = 0.0,
    disagree: Mapping[str, str] | None = None,
) -> Collection | None:
    """Put a collection together; None where no item is to be shown.

    Args:
        name: of the task, prompt set or set of dialogues.
        kind: what its items are.
        choice: which of them are packed.
        baseline: whose results the others are compared with; it need not be among them.
        items: all of them.
        results: by model, of each item.
        texts: what is shown of the item at a place, given where shared texts are kept.
        facts: what the page must know.
        wrong: the value that means wrong.
        disagree: by model, `1` for each item on which its judges disagree, else `0`.
    """
    base = results.get(baseline, [None] * len(items))
    letters = {model: states(base, own, wrong) for model, own in results.items()}
    marks = {f"disagree:{model}": column for model, column in (disagree or {}).items() if "1" in column}
    places = _places(choice, len(items), letters, marks)
    if not places:
        return None
    shared = SharedTexts()
    shown = [texts(place, shared) for place in places]
    subjects = sorted({item.subject for item in items})
    columns: dict[str, object] = {
        "ids": [items[place].item_id for place in places],
        "previews": [items[place].preview for place in places],
        "subjects": [subjects.index(items[place].subject) for place in places],
    }
    for model, own in results.items():
        columns[f"score:{model}"] = [_rounded(own[place]) for place in places]
        columns[f"state:{model}"] = "".join(letters[model][place] for place in places)
    columns |= {key: "".join(column[place] for place in places) for key, column in marks.items()}
    about = {"name": name, "kind": kind, "models": list(results), "subjects": subjects, **facts}
    return Collection(name, kind, len(places), len(items), about, packed(columns, shared, shown))


def answer_texts(row: StoredAnswer, **further: object) -> Texts:
    """What is shown of any stored answer and, by key, of this kind, without what it has not."""
    return without_nothing(
        {
            "g": list(row.generations) if row.generations else None,
            "e": row.error,
            "h": row.thinking,
            "n": row.n_thinking,
            "u": row.unclosed or None,
            "z": row.n_truncated or None,
            **further,
        }
    )


def without_nothing(texts: Texts) -> Texts:
    """Without the keys that have no value."""
    return {key: value for key, value in texts.items() if value is not None}


def preview(text: str) -> str:
    """The beginning of a text in one line, for the list."""
    line = " ".join(text[: PREVIEW_LENGTH * 4].split())
    return line if len(line) <= PREVIEW_LENGTH else f"{line[:PREVIEW_LENGTH]}…"


def rounded(values: Sequence[float] | None, places: int = 2) -> list[float | None] | None:
    """Log-probabilities to a hundredth of a nat, about 1 % of a probability; None is minus infinity."""
    return None if values is None else [round(value, places) if math.isfinite(value) else None for value in values]


def _rounded(result: Result | None) -> float | int | None:
    """A score to four digits; None where there is none."""
    score = result.score if result else None
    if score is None or not math.isfinite(score):
        return None
    return int(score) if score == int(score) else float(f"{score:.4g}")


def _places(choice: Choice, n: int, letters: Mapping[str, str], marks: Mapping[str, str]) -> list[int]:
    """Which items are packed."""
    if choice != "flips":
        return list(range(n)) if choice == "all" else []
    disputed = {place for column in marks.values() for place, mark in enumerate(column) if mark == "1"}
    return sorted({*kept(letters.values()), *disputed})
