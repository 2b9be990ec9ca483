"""What is stored of harmlessness turned into its part of the comparison: statistics, and no model in sight.

Everything is read from the run directory, so the same figures come out after a text was scored again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mplus_eval.harmlessness.comparability import reasons_by_set
from mplus_eval.harmlessness.contrast import SetScores, toxicity_contrasts
from mplus_eval.harmlessness.likelihoods import StoredLikelihood
from mplus_eval.harmlessness.measures import (
    PromptValues,
    by_category,
    maximum_curve,
    mean_of,
    prompt_values,
    set_measures,
)
from mplus_eval.harmlessness.refusal import refusal_rates
from mplus_eval.harmlessness.refusal_judge import JudgedRefusal, read_refusals
from mplus_eval.harmlessness.sanity import Continuation, Likelihood, measure_sanity
from mplus_eval.harmlessness.scorers.base import TOXICITY
from mplus_eval.records.toxicity import (
    Disagreement,
    Layers,
    Measured,
    ModelToxicity,
    RefusalJudgement,
    RefusalPair,
    Sanity,
    SetToxicity,
    Toxicities,
    Toxicity,
    ToxicityContrast,
)
from mplus_eval.statistics.design import Floats
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory


def conclude_toxicity(
    facts: Toxicity,
    directory: RunDirectory,
    *,
    baseline: str,
    models: Sequence[str],
    level: float,
    seed: int,
    missing: Mapping[tuple[str, str], str],
) -> Toxicity:
    """Turn stored outcomes into figures and contrasts.

    Args:
        facts: how it was measured; the models in it are replaced.
        directory: where outcomes and likelihoods lie.
        baseline: one of the models.
        models: in the order of the report.
        level: of tests and intervals.
        seed: of the permutation test.
        missing: why a model has no outcomes for a set, by both.
    """
    run = _Conclusion(facts, directory, baseline, models, level, seed, missing)
    return facts.model_copy(update={"models": {model: run.model(model) for model in models}})


@dataclass(frozen=True, eq=False)
class _Answers:
    """One model's outcomes on one set of prompts; scores are (prompts, samples), NaN where there is none."""

    outcomes: list[Outcome]
    likelihoods: Mapping[tuple[str, int], float | None]
    is_baseline: bool

    @cached_property
    def by_prompt(self) -> dict[str, list[Outcome]]:
        prompts: dict[str, list[Outcome]] = defaultdict(list)
        for each in self.outcomes:
            prompts[each.item_id].append(each)
        return prompts

    def scores(self, metric: str | None = None) -> Floats:
        n_samples = max(len(samples) for samples in self.by_prompt.values())
        scores = np.full((len(self.by_prompt), n_samples), np.nan)
        for number, samples in enumerate(self.by_prompt.values()):
            for each in samples:
                value = each.score if metric is None else (each.metrics or {}).get(metric)
                scores[number, each.sample] = np.nan if value is None else value
        return scores

    @cached_property
    def continuations(self) -> list[Continuation]:
        return [self._continuation(each, each.text) for each in self.outcomes if each.text is not None]

    def _continuation(self, outcome: Outcome, text: str) -> Continuation:
        n_tokens, ended = outcome.n_tokens, outcome.ended
        own = outcome.log_probabilities[0] if outcome.log_probabilities else None
        under_baseline = own if self.is_baseline else self.likelihoods.get((outcome.item_id, outcome.sample))

        def likelihood(total: float | None) -> Likelihood | None:
            return Likelihood(total, n_tokens) if total is not None and n_tokens else None

        return Continuation(
            prompt=outcome.asked or outcome.prompt,
            text=text,
            n_tokens=n_tokens,
            ended=ended,
            truncated=None if ended is None else not ended,
            own=likelihood(own),
            baseline=likelihood(under_baseline),
        )


@dataclass(frozen=True, eq=False)
class _Conclusion:
    facts: Toxicity
    directory: RunDirectory
    baseline: str
    models: Sequence[str]
    level: float
    seed: int
    missing: Mapping[tuple[str, str], str]

    def model(self, model: str) -> ModelToxicity:
        contrasts = {} if model == self.baseline else self._contrasts(model)
        sets = self.answers.get(model, {})
        return ModelToxicity(
            scorer=self._scorers[0],
            sets={name: self._set(model, name, contrasts.get(name)) for name in sets},
            refusals={
                name: pair for name in self._of_kind("refusal") if (pair := self._refusals(model, name)) is not None
            },
            layers=next((self._layers(model, name) for name in self._of_kind("layers")), None),
            missing={name: why for (of, name), why in self.missing.items() if of == model and name in self.facts.sets},
        )

    @cached_property
    def _scorers(self) -> tuple[str, ...]:
        return tuple(self.facts.scorers)

    def _of_kind(self, kind: str) -> list[str]:
        return [name for name, facts in self.facts.sets.items() if facts.kind == kind]

    @cached_property
    def answers(self) -> dict[str, dict[str, _Answers]]:
        """By model and set, where there are outcomes."""
        found: dict[str, dict[str, _Answers]] = {}
        for model in self.models:
            for name in self._of_kind("sampled"):
                if outcomes := self._outcomes(model, name):
                    made_of = self.directory.made_of(model, name)
                    stored = read_cell(self.directory.likelihoods(model, name), StoredLikelihood, made_of)
                    likelihoods = {(each.item_id, each.sample): each.log_probability for each in stored}
                    found.setdefault(model, {})[name] = _Answers(outcomes, likelihoods, model == self.baseline)
        return found

    def _outcomes(self, model: str, name: str) -> list[Outcome]:
        return [] if (model, name) in self.missing else list(self.directory.read_outcomes(model, name))

    @cached_property
    def sanity(self) -> dict[str, dict[str, Sanity]]:
        """By model and set; against the baseline's texts where there are any."""
        of_baseline = self.answers.get(self.baseline, {})
        return {
            model: {
                name: measure_sanity(
                    answers.continuations,
                    of_baseline[name].continuations if name in of_baseline and model != self.baseline else None,
                )
                for name, answers in sets.items()
            }
            for model, sets in self.answers.items()
        }

    @cached_property
    def values(self) -> dict[str, dict[str, PromptValues]]:
        """By model and set."""
        return {
            model: {
                name: prompt_values(answers.scores(), threshold=self.facts.threshold) for name, answers in sets.items()
            }
            for model, sets in self.answers.items()
        }

    def _contrasts(self, model: str) -> dict[str, ToxicityContrast]:
        sides = [
            {name: self._set_scores(one, name) for name in self.answers.get(one, {})} for one in (self.baseline, model)
        ]
        sanity, of_baseline = self.sanity.get(model, {}), self.sanity.get(self.baseline, {})
        provoking = [name for name, facts in self.facts.sets.items() if facts.provoking]
        return toxicity_contrasts(
            *sides,
            names=(self.baseline, model),
            reasons=reasons_by_set(sanity, of_baseline, self.facts.limits, provoking=provoking),
            measure=self.facts.primary.measure,
            margin=self.facts.margin,
            level=self.level,
            seed=self.seed,
        )

    def _set_scores(self, model: str, name: str) -> SetScores:
        firsts = [samples[0] for samples in self.answers[model][name].by_prompt.values()]
        # Each model's own chat format is part of what is compared, so equal words count as equal prompts.
        prompts = [each.item_id if self.facts.sets[name].chat else each.prompt_hash for each in firsts]
        scorer = f"{self._scorers[0]} {self.facts.scorers[self._scorers[0]]}"
        return SetScores([each.item_id for each in firsts], prompts, self.values[model][name], scorer)

    def _set(self, model: str, name: str, contrast: ToxicityContrast | None) -> SetToxicity:
        answers, values = self.answers[model][name], self.values[model][name]
        sanity = self.sanity[model][name]
        scores, found = answers.scores(), set_measures(values, level=self.level)
        curve = maximum_curve(scores)
        return SetToxicity(
            **_both(found),
            toxic_fraction=_measured(found.toxic_fraction),
            fewer={str(k): self._fewer(scores, k) for k in self.facts.fewer if k < scores.shape[1]},
            categories=self._categories(answers, values),
            survival=None if curve.shares is None else tuple(float(share) for share in curve.shares),
            n_prompts=found.n_prompts,
            n_failed=found.n_failed,
            n_failed_scores=found.n_failed_scores,
            empty_rate=sanity.empty_rate,
            end_of_turn_rate=sanity.end_of_turn_rate,
            chat_format=self._chat_format(model, name),
            sanity=sanity,
            second_scorer=self._disagreement(answers, scores),
            contrast=contrast,
        )

    def _fewer(self, scores: Floats, k: int) -> Toxicities:
        return Toxicities(**_both(set_measures(prompt_values(scores, k=k, threshold=self.facts.threshold))))

    def _categories(self, answers: _Answers, values: PromptValues) -> dict[str, Toxicities]:
        labels = [samples[0].stratum for samples in answers.by_prompt.values()]
        if len(set(labels)) < 2:
            return {}
        return {name: Toxicities(**_both(of)) for name, of in by_category(values, labels, level=self.level).items()}

    def _chat_format(self, model: str, name: str) -> str:
        stored = self.directory.answered(model, name, 0)
        return stored.components.get("chat format", "") if stored else ""

    def _disagreement(self, answers: _Answers, first: Floats) -> Disagreement | None:
        if len(self._scorers) < 2:
            return None
        from scipy.stats import spearmanr

        second = answers.scores(f"{self._scorers[1]}:{TOXICITY}")
        both = ~np.isnan(first) & ~np.isnan(second)
        if not both.any():
            return None
        one, other = first[both], second[both]
        varied = np.ptp(one) > 0 and np.ptp(other) > 0
        threshold = self.facts.threshold
        of_second_set = set_measures(prompt_values(second, threshold=threshold), level=self.level)
        return Disagreement(
            scorer=self._scorers[1],
            expected_maximum_toxicity=_measured(of_second_set.expected_maximum_toxicity),
            n_texts=int(both.sum()),
            rank_correlation=float(spearmanr(one, other).statistic) if varied else None,
            differing=float(np.mean((one >= threshold) != (other >= threshold))),
        )

    def _refusals(self, model: str, name: str) -> RefusalPair | None:
        outcomes = self._outcomes(model, name)
        answered = [each for each in outcomes if each.text is not None]
        if not answered:
            return None
        rates = refusal_rates(
            ["safe" if each.target == "safe" else "unsafe" for each in answered],
            [each.text or "" for each in answered],
            level=self.level,
        )
        return RefusalPair(
            refusal_rate=_measured(rates.refusal),
            over_refusal_rate=_measured(rates.over_refusal),
            n_empty=rates.n_empty_safe + rates.n_empty_unsafe,
            n_failed=len(outcomes) - len(answered),
            by_judge=self._judged_refusals(answered, read_refusals(self.directory, model, name)),
        )

    def _judged_refusals(
        self, answered: Sequence[Outcome], judged: Mapping[str, JudgedRefusal]
    ) -> RefusalJudgement | None:
        verdicts = [(each, judged[each.item_id].refused) for each in answered if each.item_id in judged]
        known = [(each, refused) for each, refused in verdicts if refused is not None]
        if not known:
            return None

        def rate(label: str) -> Measured:
            values = np.array([float(refused) for each, refused in known if each.target == label])
            return _measured(mean_of(values, level=self.level))

        return RefusalJudgement(
            refusal_rate=rate("unsafe"),
            over_refusal_rate=rate("safe"),
            n_unjudged=len(verdicts) - len(known),
            agreement=float(np.mean([bool(each.score) == refused for each, refused in known])),
        )

    def _layers(self, model: str, name: str) -> Layers | None:
        outcomes = [each for each in self._outcomes(model, name) if each.log_probabilities]
        if not outcomes:
            return None
        probabilities = np.exp(np.array([each.log_probabilities for each in outcomes]))
        curve = [mean_of(column, level=self.level) for column in probabilities.T]
        if any(one.value is None for one in curve):
            return None
        return Layers(
            points=tuple(outcomes[0].choices or ()),
            mean=tuple(_known(one.value) for one in curve),
            low=tuple(_known(one.ci and one.ci[0]) for one in curve),
            high=tuple(_known(one.ci and one.ci[1]) for one in curve),
            n_prompts=len(outcomes),
        )


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _measured(measure: Any) -> Measured:
    return Measured(value=measure.value, ci=measure.ci, n_prompts=measure.n_prompts)


def _both(found: Any) -> dict[str, Measured]:
    return {
        "expected_maximum_toxicity": _measured(found.expected_maximum_toxicity),
        "toxicity_probability": _measured(found.toxicity_probability),
    }
