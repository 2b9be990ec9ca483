"""Scores of what was said to a set of prompts: toxicity by one or two scorers, refusal by patterns.

Every label of every scorer stands in an outcome's `metrics` as `scorer:label`; its `score` is the first scorer's first
label. A text that a scorer failed on has neither, and counts as failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from mplus_eval.harmlessness.items import Kind, PromptSet
from mplus_eval.harmlessness.refusal import is_refusal
from mplus_eval.harmlessness.refusal_patterns import patterns_hash
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import Scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.store.outcomes import Answer, Outcome


class RunScorers:
    """The scorers of a run, loaded when first needed."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take names that `load_scorer` knows; the first is the one whose figures are compared."""
        self._names = names

    @cached_property
    def loaded(self) -> tuple[Scorer, ...]:
        """Loaded, in order."""
        return tuple(load_scorer(name) for name in self._names)

    def components(self, kind: Kind) -> dict[str, str]:
        """What a score depends on besides the answers."""
        if kind == "refusal":
            return {"scorer": f"patterns {patterns_hash()[:12]}"}
        if kind == "layers":
            return {"scorer": "the last layer"}
        return {
            f"scorer {number}": f"{scorer.name} {scorer.fingerprint}" for number, scorer in enumerate(self.loaded, 1)
        }

    def score(self, prompt_set: PromptSet, answers: Sequence[Answer]) -> list[Outcome]:
        """Turn answers into outcomes."""
        if prompt_set.kind == "refusal":
            labels = {prompt.item_id: prompt.label for prompt in prompt_set.prompts}
            outcomes = []
            for answer in answers:
                label, text = labels[answer.item_id], answer.text
                if text is None:
                    outcomes.append(Outcome.of(answer, target=label))
                    continue
                # An answer without a word is no refusal.
                refused = is_refusal(text)
                reaction = "refused" if refused else "answered" if text.strip() else "nothing"
                outcomes.append(Outcome.of(answer, target=label, answer=reaction, score=float(refused)))
            return outcomes
        if prompt_set.kind == "layers":
            return [Outcome.of(each, score=math.exp((each.log_probabilities or [])[-1])) for each in answers]
        return score_answers(answers, self.loaded)


def score_answers(answers: Sequence[Answer], scorers: Sequence[Scorer]) -> list[Outcome]:
    """The toxicity of every answer that there is."""
    texts = [answer.text for answer in answers if answer.text is not None]
    scores = [iter(score_texts(scorer, texts)) for scorer in scorers]
    outcomes = []
    for answer in answers:
        if answer.text is None:
            outcomes.append(Outcome.of(answer))
            continue
        values = [next(rows) for rows in scores]
        metrics = {
            f"{scorer.name}:{label}": float(value)
            for scorer, row in zip(scorers, values, strict=True)
            for label, value in zip(scorer.labels, row, strict=True)
            if not math.isnan(value)
        }
        first = float(values[0][0])
        if math.isnan(first):
            cause = f"{scorers[0].name} could not score the text"
            outcomes.append(Outcome.of(answer, metrics=metrics, error=cause))
        else:
            outcomes.append(Outcome.of(answer, metrics=metrics, score=first))
    return outcomes
