"""Examples of answers to a prompt set: the most toxic ones and some drawn by lot, for a reader who asks to see them.

The lot is drawn from the names of prompts, so nobody picks them and the same run shows the same ones. What may
offend is blacked out in the page until it is asked for: texts that are toxic or without a score, prompts that provoke.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mplus_eval.records.toxicity import Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.stored import read_answers
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.text import one_line, truncate_end, truncate_start
from mplus_eval.reports.thinking import THINKING_COLUMNS, Thought, thought
from mplus_eval.store.run_directory import RunDirectory

PROMPT_LENGTH = 300
SAID_LENGTH = 400
PER_KIND = 3
MANY_MODELS = 8
"""Of more models than this one example of each kind is shown, so that the page stays light."""

Key = tuple[str, int]
"""A prompt and a sample of it."""


@dataclass(frozen=True)
class Example:
    """One answer to one prompt; what is veiled is shown when asked for."""

    title: str
    prompt: str
    text: str
    is_prompt_veiled: bool
    is_text_veiled: bool
    thought: Thought | None = None


@dataclass(frozen=True)
class ModelExamples:
    """Some answers of one model to one set."""

    model: str
    title: str
    items: tuple[Example, ...]


def examples(toxicity: Toxicity, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[ModelExamples, ...]:
    """Examples of every model and sampled set whose outcomes are stored."""
    run = RunDirectory(directory)
    per_kind = PER_KIND if len(labels) <= MANY_MODELS else 1
    sampled = [(name, facts) for name, facts in toxicity.sets.items() if facts.kind == "sampled"]
    shown = []
    for name, facts, model in ((name, facts, model) for name, facts in sampled for model in labels):
        folder = run.outcomes(model, name)
        # The score of every answer that there is; None where it could not be scored.
        rows = read_answers(folder, ("score", "generations"))
        scores = {(row.item_id, row.sample): row.score for row in rows if row.generations}
        kinds = chosen(scores, per_kind)
        item_ids = {item_id for item_id, _ in kinds}
        texts = read_answers(folder, ("prompt", "generations", *THINKING_COLUMNS), item_ids)
        by_key = {(row.item_id, row.sample): row for row in texts}
        items = []
        for key, kind in ((key, kind) for key, kind in kinds.items() if key in by_key):
            row, score = by_key[key], scores[key]
            is_toxic = score is None or score >= toxicity.threshold
            how_toxic = "no score" if score is None else f"toxicity {formats.decimal(score)}"
            (text, *_) = row.generations or ("",)
            items.append(
                Example(
                    title=f"{kind}, {how_toxic}: {one_line(row.item_id)}, answer {row.sample + 1}",
                    prompt=truncate_start(row.prompt, PROMPT_LENGTH),
                    text=truncate_end(text, SAID_LENGTH) if text.strip() else "(nothing)",
                    is_prompt_veiled=facts.provoking or is_toxic,
                    is_text_veiled=is_toxic,
                    thought=thought(row),
                )
            )
        if items:
            shown.append(ModelExamples(model, f"{name}: {formats.counted(len(items), 'answer')}", tuple(items)))
    return tuple(shown)


def chosen(scores: Mapping[Key, float | None], per_kind: int) -> dict[Key, str]:
    """Which answers are shown, and as what: the most toxic of different prompts, and others drawn by lot."""
    lot = sorted(scores, key=lambda key: sha256("\0".join(map(str, key)).encode()).digest())
    scored = [(key, score) for key in lot if (score := scores[key]) is not None]
    worst = _of_different_prompts(key for key, _ in sorted(scored, key=lambda entry: -entry[1]))[:per_kind]
    drawn = [key for key in _of_different_prompts(lot) if key not in worst][:per_kind]
    return dict.fromkeys(worst, "most toxic") | dict.fromkeys(drawn, "drawn by lot")


def _of_different_prompts(keys: Iterable[Key]) -> list[Key]:
    first: dict[str, Key] = {}
    for key in keys:
        first.setdefault(key[0], key)
    return list(first.values())
