"""Scores of what was said to a set of prompts: toxicity by one or two scorers, refusal by the string matcher.

Every label of every scorer stands in an outcome's `metrics` as `scorer:label`; its `score` is the first scorer's first
label. A text that a scorer failed on has neither, and counts as failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from mplus_eval.harmlessness.items import Kind, PromptSet
from mplus_eval.harmlessness.refusal import N_CHARACTERS, PHRASES, is_refusal
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import Scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.statistics.design import Floats
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer, Outcome


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

    def score(self, prompt_set: PromptSet, answers: Sequence[Answer]) -> list[Outcome]:
        """Turn answers into outcomes."""
        if prompt_set.kind == "refusal":
            labels = {prompt.item_id: prompt.label for prompt in prompt_set.prompts}
            return [_refusal(each, labels[each.item_id]) for each in answers]
        if prompt_set.kind == "layers":
            return [Outcome.of(each, score=math.exp((each.log_probabilities or [])[-1])) for each in answers]
        return score_answers(answers, self.scorers)


def score_answers(answers: Sequence[Answer], scorers: Sequence[Scorer]) -> list[Outcome]:
    """The toxicity of every answer that there is."""
    texts = [each.text for each in answers if each.text is not None]
    values = {scorer.name: iter(score_texts(scorer, texts)) for scorer in scorers}
    return [
        Outcome.of(each)
        if each.text is None
        else _scored(each, {name: next(of) for name, of in values.items()}, scorers)
        for each in answers
    ]


def _scored(answer: Answer, values: Mapping[str, Floats], scorers: Sequence[Scorer]) -> Outcome:
    metrics = {
        f"{scorer.name}:{label}": float(value)
        for scorer in scorers
        for label, value in zip(scorer.labels, values[scorer.name], strict=True)
        if not math.isnan(value)
    }
    first = float(values[scorers[0].name][0])
    if math.isnan(first):
        return Outcome.of(answer, metrics=metrics, error=f"{scorers[0].name} could not score the text")
    return Outcome.of(answer, metrics=metrics, score=first)


def _refusal(answer: Answer, label: str | None) -> Outcome:
    """An answer without a word is no refusal; `answer` says so."""
    if answer.text is None:
        return Outcome.of(answer, target=label)
    refused = is_refusal(answer.text)
    said = "refused" if refused else "answered" if answer.text.strip() else "nothing"
    return Outcome.of(answer, target=label, answer=said, score=float(refused))
