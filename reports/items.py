"""Items that flipped: what the baseline and a model said to a few items that were lost or gained.

Which ones are shown is drawn from the item's name, after the size of the change, so nobody picks them and the same run
shows the same ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.stored import StoredAnswer, read_answers
from mplus_eval.reports.text import one_line, truncate_end, truncate_start
from mplus_eval.reports.thinking import THINKING_COLUMNS, Thought, thought
from mplus_eval.reports.units import Unit
from mplus_eval.store.run_directory import RunDirectory

PROMPT_LENGTH = 600
SAID_LENGTH = 600
MANY_CELLS = 60
"""Above this number of cells one item each way is shown instead of three, so that the page stays light."""

SHOWN_COLUMNS = ("prompt", "generations", "target", "answer", *THINKING_COLUMNS)

Key = tuple[str, str, int]
"""A stratum, an item of it, and a sample."""
Items = Mapping[Key, StoredAnswer]


@dataclass(frozen=True)
class ItemAnswer:
    """What one model said to an item, and what it was taken to mean."""

    model: str
    css: str
    score: str
    answer: str
    text: str
    thought: Thought | None = None


@dataclass(frozen=True)
class FlippedItem:
    """One item that was lost or gained, and what both models said."""

    title: str
    prompt: str
    target: str
    answers: tuple[ItemAnswer, ItemAnswer]


@dataclass(frozen=True)
class FlippedCell:
    """Some flipped items of one model on one task."""

    model: str
    task: str
    title: str
    items: tuple[FlippedItem, ...]


def flipped_cells(comparison: Comparison, directory: Path, css: Mapping[str, str]) -> tuple[FlippedCell, ...]:
    """Find flipped items of every contrast whose outcomes are stored."""
    run = RunDirectory(directory)
    # To a text whose loss is measured nothing is answered.
    tasks = {task: entry for task, entry in comparison.tasks.items() if not entry.relative}
    contrasts = [(model, task) for task, entry in tasks.items() for model in entry.contrasts]
    per_direction = 1 if len(contrasts) > MANY_CELLS else 3
    cells = []
    of_base: dict[str, Items] = {}
    for model, task in contrasts:
        folders = run.outcomes(comparison.baseline, task), run.outcomes(model, task)
        if task not in of_base:
            of_base[task] = read_items(folders[0], ())
        unit = Unit.of(comparison.tasks[task])
        keys = flips(of_base[task], read_items(folders[1], ()), unit, per_direction)
        if not keys:
            continue
        item_ids = {item_id for _, item_id, _ in keys}
        base, own = (read_items(folder, SHOWN_COLUMNS, item_ids) for folder in folders)
        items = []
        for key in (key for key in keys if key in base and key in own):
            item_id, stratum = one_line(base[key].item_id), base[key].stratum
            items.append(
                FlippedItem(
                    title=f"{keys[key]}: {item_id if stratum in item_id else f'{one_line(stratum)}, {item_id}'}",
                    prompt=truncate_start(base[key].prompt, PROMPT_LENGTH),
                    target=truncate_end(base[key].target or "", SAID_LENGTH),
                    answers=(
                        item_answer(comparison.baseline, base[key], css, unit),
                        item_answer(model, own[key], css, unit),
                    ),
                )
            )
        contrast = comparison.tasks[task].contrasts[model]
        title = f"{task}: {formats.count(contrast.lost)} lost, {formats.count(contrast.gained)} gained"
        cells.append(FlippedCell(model, task, title, tuple(items)))
    return tuple(cells)


def read_items(folder: Path, columns: Sequence[str], item_ids: Collection[str] | None = None) -> Items:
    """The rows of a cell, all or those of some items."""
    rows = read_answers(folder, ("stratum", "score", *columns), item_ids)
    return {(row.stratum, row.item_id, row.sample): row for row in rows}


def flips(base: Items, own: Items, unit: Unit, per_direction: int) -> dict[Key, str]:
    """Which items are shown, and as what: the largest changes first, then in an order drawn from their names."""
    scores = {key: row.score for key, row in own.items() if row.score is not None}
    changes = {
        key: unit.gain(scores[key] - row.score) for key, row in base.items() if key in scores and row.score is not None
    }
    changed = [key for key, change in changes.items() if change]
    ordered = sorted(changed, key=lambda key: (-abs(changes[key]), sha256("\0".join(map(str, key)).encode()).digest()))
    lost = [key for key in ordered if changes[key] < 0]
    gained = [key for key in ordered if changes[key] > 0]
    return dict.fromkeys(lost[:per_direction], "lost") | dict.fromkeys(gained[:per_direction], "gained")


def item_answer(model: str, row: StoredAnswer, css: Mapping[str, str], unit: Unit) -> ItemAnswer:
    """One model's answer; what it wrote is left out where the answer taken from it is the same."""
    words = {1.0: "right", 0.0: "wrong"} if unit.is_fraction and unit.higher_is_better else {}
    assert row.score is not None
    score = words.get(row.score, f"score {unit.score(row.score)}")
    text = truncate_end("\n".join(row.generations or []), SAID_LENGTH)
    answer = truncate_end(row.answer or "", SAID_LENGTH)
    said = "" if text.strip() == answer.strip() else text
    return ItemAnswer(model, css[model], score, answer, said, thought(row))
