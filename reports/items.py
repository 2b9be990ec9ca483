"""Items that flipped: what the baseline and a model said to a few items that were lost or gained.

Which ones are shown is drawn from the item's name, after the size of the change, so nobody picks them and the same run
shows the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.stored import StoredAnswer
from mplus_eval.reports.task_rows import TaskRows
from mplus_eval.reports.text import one_line, truncate_end, truncate_start
from mplus_eval.reports.thinking import Thought, thought
from mplus_eval.reports.units import Unit

PROMPT_LENGTH = 600
SAID_LENGTH = 600
MANY_CELLS = 60
"""Above this number of cells one item each way is shown instead of three, so that the page stays light."""


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


def flipped_cells(comparison: Comparison, stored: TaskRows, css: Mapping[str, str]) -> Iterator[FlippedCell]:
    """Find flipped items of every contrast of a task whose outcomes are stored."""
    n_cells = sum(len(each.contrasts) for each in comparison.tasks.values() if not each.relative)
    per_direction = 1 if n_cells > MANY_CELLS else 3
    task, baseline = comparison.tasks[stored.task], comparison.baseline
    # To a text whose loss is measured nothing is answered.
    if task.relative or baseline not in stored.of_models:
        return
    unit, base = Unit.of(task), stored.of_models[baseline]
    for model, contrast in task.contrasts.items():
        items = []
        for place, change in flips(stored, baseline, model, unit, per_direction).items():
            (stratum, item_id, _), before, after = stored.keys[place], base[place], stored.of_models[model][place]
            assert before is not None
            assert after is not None
            name = one_line(item_id)
            items.append(
                FlippedItem(
                    title=f"{change}: {name if stratum in name else f'{one_line(stratum)}, {name}'}",
                    prompt=truncate_start(stored.prompts[baseline][place] or "", PROMPT_LENGTH),
                    target=truncate_end(before.target or "", SAID_LENGTH),
                    answers=(item_answer(baseline, before, css, unit), item_answer(model, after, css, unit)),
                )
            )
        if items:
            title = f"{stored.task}: {formats.count(contrast.lost)} lost, {formats.count(contrast.gained)} gained"
            yield FlippedCell(model, stored.task, title, tuple(items))


def flips(stored: TaskRows, baseline: str, model: str, unit: Unit, per_direction: int) -> dict[int, str]:
    """Places of the items that are shown, and as what: the largest changes, equal ones in an order drawn from names."""
    pairs = zip(stored.of_models[baseline], stored.of_models.get(model, ()), strict=False)
    changes = {
        place: change
        for place, (before, after) in enumerate(pairs)
        if before and after and before.score is not None and after.score is not None
        if (change := unit.gain(after.score - before.score))
    }

    def order(place: int) -> tuple[float, bytes]:
        return -abs(changes[place]), sha256("\0".join(map(str, stored.keys[place])).encode()).digest()

    ordered = sorted(changes, key=order)
    lost = [place for place in ordered if changes[place] < 0]
    gained = [place for place in ordered if changes[place] > 0]
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
