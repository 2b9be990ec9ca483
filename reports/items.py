"""Items that flipped: what the baseline and a model said to a few items that were lost or gained.

Which ones are shown is drawn from the item's name, after the size of the change, so nobody picks them and the same run
shows the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.text import head, one_line, tail
from mplus_eval.reports.units import Unit
from mplus_eval.store.parts import cell_parts
from mplus_eval.store.run_directory import RunDirectory

PROMPT_LENGTH = 600
SAID_LENGTH = 600
MANY_CELLS = 60
"""Above this number of cells one item each way is shown instead of three, so that the page stays light."""

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Said:
    """What one model said to an item, and what it was taken to mean."""

    model: str
    css: str
    score: str
    answer: str
    text: str


@dataclass(frozen=True)
class FlippedItem:
    """One item that was lost or gained, and what both models said."""

    title: str
    prompt: str
    target: str
    said: tuple[Said, Said]


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
    contrasts = [(model, task) for task, entry in comparison.tasks.items() for model in entry.contrasts]
    per_direction = 1 if len(contrasts) > MANY_CELLS else 3
    cells = []
    scores: dict[str, dict[Key, float]] = {}
    for model, task in contrasts:
        base_folder = run.outcomes(comparison.baseline, task)
        if task not in scores:
            scores[task] = _scores(base_folder)
        unit = Unit.of(comparison.tasks[task])
        keys = _flips(scores[task], _scores(run.outcomes(model, task)), unit, per_direction)
        if not keys:
            continue
        base, other = _rows(base_folder, keys), _rows(run.outcomes(model, task), keys)
        names = (comparison.baseline, model)
        items = tuple(_item(base[key], other[key], names, css, unit) for key in keys if key in base and key in other)
        contrast = comparison.tasks[task].contrasts[model]
        title = f"{task}: {formats.count(contrast.lost)} lost, {formats.count(contrast.gained)} gained"
        cells.append(FlippedCell(model, task, title, items))
    return tuple(cells)


def _parts(folder: Path) -> list[Path]:
    return cell_parts(folder)


def _scores(folder: Path) -> dict[Key, float]:
    from pyarrow import parquet

    found: dict[Key, float] = {}
    for path in _parts(folder):
        table = parquet.read_table(path, columns=["stratum", "item_id", "sample", "score"], partitioning=None)
        found |= {
            (row["stratum"], row["item_id"], row["sample"]): row["score"]
            for row in table.to_pylist()
            if row["score"] is not None
        }
    return found


def _flips(base: Mapping[Key, float], model: Mapping[Key, float], unit: Unit, per_direction: int) -> list[Key]:
    changes = {key: unit.gain(model[key] - score) for key, score in base.items() if key in model}
    ordered = sorted(changes, key=lambda key: (-abs(changes[key]), sha256("\0".join(map(str, key)).encode()).digest()))
    lost = [key for key in ordered if changes[key] < 0]
    gained = [key for key in ordered if changes[key] > 0]
    return lost[:per_direction] + gained[:per_direction]


def _rows(folder: Path, keys: list[Key]) -> dict[Key, dict[str, Any]]:
    from pyarrow import parquet

    columns = ["stratum", "item_id", "sample", "prompt", "generations", "target", "answer", "score"]
    found: dict[Key, dict[str, Any]] = {}
    for path in _parts(folder):
        wanted = [("item_id", "in", [item_id for _, item_id, _ in keys])]
        for row in parquet.read_table(path, columns=columns, filters=wanted, partitioning=None).to_pylist():
            key = (row["stratum"], row["item_id"], row["sample"])
            if key in keys:
                found[key] = row
    return found


def _item(
    base: Mapping[str, Any], other: Mapping[str, Any], names: tuple[str, str], css: Mapping[str, str], unit: Unit
) -> FlippedItem:
    direction = "lost" if unit.gain(other["score"] - base["score"]) < 0 else "gained"
    place = one_line(base["item_id"])
    if base["stratum"] not in place:
        place = f"{one_line(base['stratum'])}, {place}"
    return FlippedItem(
        f"{direction}: {place}",
        tail(base["prompt"], PROMPT_LENGTH),
        head(base["target"] or "", SAID_LENGTH),
        (_said(names[0], base, css, unit), _said(names[1], other, css, unit)),
    )


def _said(model: str, row: Mapping[str, Any], css: Mapping[str, str], unit: Unit) -> Said:
    words = {1.0: "right", 0.0: "wrong"} if unit.is_fraction and unit.higher_is_better else {}
    score = words.get(row["score"], f"score {unit.score(row['score'])}")
    text = head("\n".join(row["generations"] or []), SAID_LENGTH)
    answer = head(row["answer"] or "", SAID_LENGTH)
    return Said(model, css[model], score, answer, "" if text.strip() == answer.strip() else text)
