"""Scores of what was said to a set of prompts: toxicity by one or two scorers, refusal by the string matcher.

Every label of every scorer stands in an outcome's `metrics` as `scorer:label`; its `score` is the first scorer's first
label. A text that a scorer failed on has neither, and counts as failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mplus_eval.harmlessness.items import Kind, PromptSet
from mplus_eval.harmlessness.refusal import N_CHARACTERS, PHRASES, is_refusal
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import Scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.store.hashes import hash_text

Row = dict[str, Any]


class Scoring:
    """The scorers of a run, loaded when first needed."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take names that `load_scorer` knows; the first is the one whose figures are compared."""
        self._names = names

    @cached_property
    def scorers(self) -> tuple[Scorer, ...]:
        """Loaded, in order."""
        return tuple(load_scorer(name) for name in self._names)

    def components(self, kind: Kind) -> dict[str, str]:
        """What a score depends on besides the answers."""
        if kind == "refusal":
            return {"scorer": f"string matcher {hash_text(f'{N_CHARACTERS} {PHRASES}')[:12]}"}
        if kind == "layers":
            return {"scorer": "the last layer"}
        return {f"scorer {number}": f"{one.name} {one.fingerprint}" for number, one in enumerate(self.scorers, start=1)}

    def score(self, prompt_set: PromptSet, rows: Sequence[Row]) -> list[Row]:
        """Turn answers into outcomes; rows with the columns of `ANSWER_SCHEMA` become those of `OUTCOME_SCHEMA`."""
        if prompt_set.kind == "refusal":
            labels = {prompt.item_id: prompt.label for prompt in prompt_set.prompts}
            return [_refusal(row, labels[row["item_id"]]) for row in rows]
        if prompt_set.kind == "layers":
            return [{**row, "score": math.exp(row["log_probabilities"][-1])} for row in rows]
        return score_answers(rows, self.scorers)


def score_answers(rows: Sequence[Row], scorers: Sequence[Scorer]) -> list[Row]:
    """The toxicity of every answer that there is."""
    said = [row["generations"][0] for row in rows if row["generations"]]
    scored = {one.name: iter(score_texts(one, said)) for one in scorers}
    return [{**row, **(_scored(scored, scorers) if row["generations"] else {})} for row in rows]


def _scored(scored: dict[str, Any], scorers: Sequence[Scorer]) -> Row:
    values = {one.name: next(scored[one.name]) for one in scorers}
    metrics = {
        f"{one.name}:{label}": float(value)
        for one in scorers
        for label, value in zip(one.labels, values[one.name], strict=True)
        if not math.isnan(value)
    }
    first = float(values[scorers[0].name][0])
    if math.isnan(first):
        return {"metrics": metrics, "error": f"{scorers[0].name} could not score the text"}
    return {"metrics": metrics, "score": first}


def _refusal(row: Row, label: str | None) -> Row:
    """An answer without a word is no refusal; `answer` says so."""
    if not row["generations"]:
        return {**row, "target": label}
    text = row["generations"][0]
    refused = is_refusal(text)
    said = "refused" if refused else "answered" if text.strip() else "nothing"
    return {**row, "target": label, "answer": said, "score": float(refused)}
