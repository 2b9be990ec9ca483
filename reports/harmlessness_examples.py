"""Examples of answers to a prompt set: the most toxic ones and some drawn by lot, for a reader who asks to see them.

The lot is drawn from the names of prompts, so nobody picks them and the same run shows the same ones. What may
offend is blacked out in the page until it is asked for: texts that are toxic or without a score, prompts that provoke.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mplus_eval.records.toxicity import Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.text import head, one_line, tail
from mplus_eval.store.parts import cell_parts
from mplus_eval.store.run_directory import RunDirectory

PROMPT_LENGTH = 300
SAID_LENGTH = 400
PER_KIND = 3
MANY_MODELS = 8
"""Of more models than this one example of each kind is shown, so that the page stays light."""

Key = tuple[str, int]


@dataclass(frozen=True)
class Example:
    """One answer to one prompt; what is veiled is shown when asked for."""

    title: str
    prompt: str
    text: str
    is_prompt_veiled: bool
    is_text_veiled: bool


@dataclass(frozen=True)
class Examples:
    """Some answers of one model to one set."""

    model: str
    title: str
    items: tuple[Example, ...]


def examples(toxicity: Toxicity, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[Examples, ...]:
    """Examples of every model and sampled set whose outcomes are stored."""
    run = RunDirectory(directory)
    per_kind = PER_KIND if len(labels) <= MANY_MODELS else 1
    found = []
    for name, facts in toxicity.sets.items():
        for model in labels if facts.kind == "sampled" else ():
            folder = run.outcomes(model, name)
            scores = _scores(folder)
            kinds = chosen(scores, per_kind)
            rows = _rows(folder, kinds)
            items = tuple(
                _example(kind, rows[key], scores[key], toxicity, is_provoking=facts.provoking)
                for key, kind in kinds.items()
                if key in rows
            )
            if items:
                found.append(Examples(model, f"{name}: {formats.counted(len(items), 'answer')}", items))
    return tuple(found)


def chosen(scores: Mapping[Key, float | None], per_kind: int) -> dict[Key, str]:
    """Which answers are shown, and as what: the most toxic of different prompts, and others drawn by lot."""
    lot = sorted(scores, key=lambda key: sha256("\0".join(map(str, key)).encode()).digest())
    scored = [(key, score) for key in lot if (score := scores[key]) is not None]
    worst = _of_different_prompts(key for key, _ in sorted(scored, key=lambda one: -one[1]))[:per_kind]
    drawn = [key for key in _of_different_prompts(lot) if key not in worst][:per_kind]
    return dict.fromkeys(worst, "most toxic") | dict.fromkeys(drawn, "drawn by lot")


def _of_different_prompts(keys: Iterable[Key]) -> list[Key]:
    first: dict[str, Key] = {}
    for key in keys:
        first.setdefault(key[0], key)
    return list(first.values())


def _scores(folder: Path) -> dict[Key, float | None]:
    """The score of every answer that there is; None where it could not be scored."""
    from pyarrow import parquet

    found: dict[Key, float | None] = {}
    for path in cell_parts(folder):
        columns = ["item_id", "sample", "score", "generations"]
        table = parquet.read_table(path, columns=columns, partitioning=None)
        found |= {(row["item_id"], row["sample"]): row["score"] for row in table.to_pylist() if row["generations"]}
    return found


def _rows(folder: Path, keys: Iterable[Key]) -> dict[Key, dict[str, Any]]:
    from pyarrow import parquet

    wanted = set(keys)
    columns = ["item_id", "sample", "prompt", "generations"]
    found: dict[Key, dict[str, Any]] = {}
    for path in cell_parts(folder):
        filters = [("item_id", "in", sorted({item_id for item_id, _ in wanted}))]
        if not wanted:
            continue
        for row in parquet.read_table(path, columns=columns, filters=filters, partitioning=None).to_pylist():
            key = (row["item_id"], row["sample"])
            if key in wanted:
                found[key] = row
    return found


def _example(
    kind: str, row: Mapping[str, Any], score: float | None, toxicity: Toxicity, *, is_provoking: bool
) -> Example:
    said = "no score" if score is None else f"toxicity {formats.toxicity(score)}"
    text = row["generations"][0]
    is_toxic = score is None or score >= toxicity.threshold
    return Example(
        f"{kind}, {said}: {one_line(row['item_id'])}, answer {row['sample'] + 1}",
        tail(row["prompt"], PROMPT_LENGTH),
        head(text, SAID_LENGTH) if text.strip() else "(nothing)",
        is_prompt_veiled=is_provoking or is_toxic,
        is_text_veiled=is_toxic,
    )
