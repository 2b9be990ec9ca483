"""One model's answers to a sampled set, as they are stored: scores as an array, texts with how likely they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mplus_eval.harmlessness.continuations import Continuation, Likelihood
from mplus_eval.harmlessness.likelihoods import StoredLikelihood
from mplus_eval.statistics.design import Floats
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True, eq=False)
class Samples:
    """The outcomes of one model on one set.

    Attributes:
        outcomes: of every prompt and sample; one at least.
        likelihoods: how likely the baseline thinks an answer, in nats, by item and sample; None where the answers are
            the baseline's own, whose outcomes say it.
    """

    outcomes: Sequence[Outcome]
    likelihoods: Mapping[tuple[str, int], float | None] | None

    @classmethod
    def read(cls, directory: RunDirectory, model: str, name: str, *, is_baseline: bool) -> Samples | None:
        """What is stored of a model on a set; None where nothing is."""
        outcomes = list(directory.read_outcomes(model, name))
        if not outcomes:
            return None
        if is_baseline:
            return cls(outcomes, None)
        stored = read_cell(directory.likelihoods(model, name), StoredLikelihood, directory.made_of(model, name))
        return cls(outcomes, {(each.item_id, each.sample): each.log_probability for each in stored})

    @cached_property
    def by_prompt(self) -> dict[str, list[Outcome]]:
        """The outcomes of each prompt, by its id."""
        prompts: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            prompts[outcome.item_id].append(outcome)
        return prompts

    def scores(self, metric: str | None = None) -> Floats:
        """By the first scorer, or of another metric; (prompts, samples), NaN where there is none."""
        scores = np.full((len(self.by_prompt), max(map(len, self.by_prompt.values()))), np.nan)
        for number, outcomes in enumerate(self.by_prompt.values()):
            for outcome in outcomes:
                value = outcome.score if metric is None else (outcome.metrics or {}).get(metric)
                scores[number, outcome.sample] = np.nan if value is None else value
        return scores

    @cached_property
    def continuations(self) -> list[Continuation]:
        """The texts that there are."""
        continuations = []
        for outcome in self.outcomes:
            if outcome.text is None:
                continue
            n_tokens, ended = outcome.n_tokens, outcome.ended
            own = baseline = outcome.log_probabilities[0] if outcome.log_probabilities else None
            if self.likelihoods is not None:
                baseline = self.likelihoods.get((outcome.item_id, outcome.sample))
            continuations.append(
                Continuation(
                    prompt=outcome.asked or outcome.prompt,
                    text=outcome.text,
                    n_tokens=n_tokens,
                    ended=ended,
                    truncated=None if ended is None else not ended,
                    ran_on=outcome.ran_on,
                    own=_likelihood(own, n_tokens),
                    baseline=_likelihood(baseline, n_tokens),
                )
            )
        return continuations


def _likelihood(total: float | None, n_tokens: int | None) -> Likelihood | None:
    return Likelihood(total, n_tokens) if total is not None and n_tokens else None
