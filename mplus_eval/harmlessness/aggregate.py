"""What is stored of harmlessness turned into its part of the comparison: statistics, and no model in sight.

Everything is read from the run directory, so the same figures come out after a text was scored again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mplus_eval.audit.differences import Auditor, audited
from mplus_eval.audit.items import AskedItems
from mplus_eval.harmlessness.aggregate_refusals import refusal_error, refusal_pairs, refusals_unjudged
from mplus_eval.harmlessness.comparability import Comparability, comparability_by_set
from mplus_eval.harmlessness.contrast import SetScores, toxicity_contrasts
from mplus_eval.harmlessness.measures import (
    PromptValues,
    SetMeasures,
    by_category,
    maximum_curve,
    mean_of,
    prompt_values,
    set_measures,
)
from mplus_eval.harmlessness.samples import Samples
from mplus_eval.harmlessness.sanity import measure_sanity
from mplus_eval.harmlessness.scorers.base import TOXICITY
from mplus_eval.harmlessness.stock_phrase import stock_phrase
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.records.toxicity import (
    Disagreement,
    Layers,
    ModelToxicity,
    RefusalError,
    Sanity,
    SetToxicity,
    StockPhrase,
    Toxicities,
    Toxicity,
    ToxicityContrast,
)
from mplus_eval.statistics.design import Floats
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True, eq=False)
class _SetValues:
    """One model on one sampled set: what it said, and what is measured of each prompt and of the texts."""

    samples: Samples
    scores: Floats
    """Of the first scorer; (prompts, samples)."""
    values: PromptValues
    sanity: Sanity


def aggregate_toxicity(
    facts: Toxicity,
    directory: RunDirectory,
    *,
    baseline: str,
    auditor: Auditor,
    level: float,
    seed: int,
    missing: Mapping[tuple[str, str], str],
) -> Toxicity:
    """Turn stored outcomes into figures and contrasts.

    Args:
        facts: how it was measured; the models in it are replaced.
        directory: where outcomes and likelihoods lie.
        baseline: one of the models.
        auditor: of the models, in the order of the report.
        level: of tests and intervals.
        seed: of the permutation test.
        missing: why a model has no outcomes for a set, by both.
    """
    errors = {model: refusal_error(facts, directory, model, missing) for model in auditor.models}
    same_vocabulary = _sharing_vocabulary(auditor.models, baseline)
    values = _set_values(facts, directory, baseline, errors, missing, same_vocabulary, level)
    toxicities: dict[str, ModelToxicity] = {}
    for model in errors:
        contrasts: dict[str, ToxicityContrast] = {}
        sides = values[baseline], values[model]
        comparability = _comparability(facts, *sides)
        if model != baseline:
            found = _contrasts(facts, (baseline, model), *sides, comparability, level=level, seed=seed)
            for name, contrast in found.items():
                contrasts[name] = audited(contrast, _asked(facts, auditor, (model, baseline), name, sides))
        sets = {}
        for name, of_set in values[model].items():
            answered = directory.answered(model, name, 0)
            chat_format = answered.components.get("chat format", "") if answered else ""
            limits = comparability.get(name, Comparability())
            sets[name] = _set_toxicity(
                facts, of_set, contrasts.get(name), chat_format=chat_format, level=level
            ).model_copy(
                update={
                    "beyond": limits.limits(is_shown=True, of_baseline=model == baseline),
                    "in_doubt": limits.limits(is_shown=False, of_baseline=model == baseline),
                }
            )
        refusals = refusal_pairs(facts, directory, (model, baseline), missing, level)
        looked_into = [
            name for name, each in facts.sets.items() if each.kind == "layers" and (model, name) not in missing
        ]
        toxicities[model] = ModelToxicity(
            scorer=next(iter(facts.scorers)),
            sets=sets,
            refusals=refusals,
            refusal_error=errors[model] if sets else None,
            stock_phrase=_stock_phrase(facts, *sides) if model != baseline else None,
            layers=_layers(list(directory.read_outcomes(model, looked_into[-1])), level) if looked_into else None,
            missing={name: why for (of, name), why in missing.items() if of == model and name in facts.sets},
        )
    open_verdicts = refusals_unjudged(facts, directory, auditor.models, missing)
    return facts.model_copy(update={"models": toxicities, "unjudged": open_verdicts})


def _sharing_vocabulary(models: Mapping[str, ModelEntry], baseline: str) -> frozenset[str]:
    """The models of which a token is what it is to the baseline: itself, and those known to have its vocabulary."""
    own = models[baseline].vocabulary
    return frozenset(name for name, each in models.items() if name == baseline or (own and each.vocabulary == own))


def _set_values(
    facts: Toxicity,
    directory: RunDirectory,
    baseline: str,
    models: Mapping[str, RefusalError],
    missing: Mapping[tuple[str, str], str],
    same_vocabulary: Collection[str],
    level: float,
) -> dict[str, dict[str, _SetValues]]:
    """By model and sampled set, where there are outcomes; texts are held against the baseline's where it has any.

    `models` tells of each with which error its refusals are told.
    """
    sampled = [name for name, prompt_set in facts.sets.items() if prompt_set.kind == "sampled"]
    samples: dict[str, dict[str, Samples]] = {model: {} for model in models}
    for model in models:
        for name in (name for name in sampled if (model, name) not in missing):
            if of_set := Samples.read(directory, model, name, is_baseline=model == baseline):
                samples[model][name] = of_set
    values: dict[str, dict[str, _SetValues]] = {model: {} for model in models}
    for model in models:
        for name, of_set in samples[model].items():
            of_baseline = None if model == baseline else samples[baseline].get(name)
            scores = of_set.scores()
            values[model][name] = _SetValues(
                of_set,
                scores,
                prompt_values(scores, threshold=facts.threshold),
                measure_sanity(
                    of_set.continuations,
                    of_baseline.continuations if of_baseline else None,
                    same_vocabulary=model in same_vocabulary,
                    refusal_error=models[model],
                    level=level,
                ),
            )
    return values


def _comparability(
    facts: Toxicity, baseline: Mapping[str, _SetValues], model: Mapping[str, _SetValues]
) -> dict[str, Comparability]:
    """What stands against comparing a model's texts with the baseline's, by set; of the baseline, its own faults."""
    return comparability_by_set(_sanities(model), _sanities(baseline), facts.limits, provoking=_provoking(facts))


def _stock_phrase(
    facts: Toxicity, baseline: Mapping[str, _SetValues], model: Mapping[str, _SetValues]
) -> StockPhrase | None:
    return stock_phrase(_sanities(model), _sanities(baseline), _provoking(facts))


def _sanities(sets: Mapping[str, _SetValues]) -> dict[str, Sanity]:
    return {name: each.sanity for name, each in sets.items()}


def _provoking(facts: Toxicity) -> list[str]:
    return [name for name, prompt_set in facts.sets.items() if prompt_set.provoking]


def _asked(
    facts: Toxicity,
    auditor: Auditor,
    names: tuple[str, str],
    prompt_set: str,
    sides: tuple[Mapping[str, _SetValues], Mapping[str, _SetValues]],
) -> tuple[AskedDifference, ...]:
    """What differs between a model and the baseline as they were asked one set."""
    baseline, model = (AskedItems.of_answers(side[prompt_set].samples.outcomes) for side in sides)
    return auditor.find(names, (model, baseline), generates=True, chats=facts.sets[prompt_set].chat)


def _contrasts(
    facts: Toxicity,
    names: tuple[str, str],
    baseline: Mapping[str, _SetValues],
    model: Mapping[str, _SetValues],
    comparability: Mapping[str, Comparability],
    *,
    level: float,
    seed: int,
) -> dict[str, ToxicityContrast]:
    """A model against the baseline, by set."""
    scorer, fingerprint = next(iter(facts.scorers.items()))
    scores: tuple[dict[str, SetScores], dict[str, SetScores]] = ({}, {})
    for side, sets in zip(scores, (baseline, model), strict=True):
        for name, of_set in sets.items():
            values = prompt_values(of_set.scores, k=_primary_k(facts, of_set), threshold=facts.threshold)
            side[name] = SetScores(list(of_set.samples.by_prompt), values, f"{scorer} {fingerprint}")
    return toxicity_contrasts(
        *scores,
        names=names,
        comparability=comparability,
        primary=facts.primary.set,
        measure=facts.primary.measure,
        margin=facts.margin,
        level=level,
        seed=seed,
    )


def _primary_k(facts: Toxicity, of_set: _SetValues) -> int:
    """Samples of which the primary measure is the maximum; all, should a set have fewer."""
    n_samples: int = of_set.scores.shape[1]
    return min(facts.primary_k, n_samples)


def _set_toxicity(
    facts: Toxicity, of_set: _SetValues, contrast: ToxicityContrast | None, *, chat_format: str, level: float
) -> SetToxicity:
    scores, sanity, measures = of_set.scores, of_set.sanity, set_measures(of_set.values, level=level)
    numbers = sorted({k for k in (*facts.fewer, _primary_k(facts, of_set)) if k < scores.shape[1]})
    fewer = {k: prompt_values(scores, k=k, threshold=facts.threshold) for k in numbers}
    labels = [outcomes[0].stratum for outcomes in of_set.samples.by_prompt.values()]
    categories = by_category(of_set.values, labels, level=level) if len(set(labels)) > 1 else {}
    curve = maximum_curve(scores)
    return SetToxicity(
        expected_maximum_toxicity=measures.expected_maximum_toxicity,
        toxicity_probability=measures.toxicity_probability,
        toxic_fraction=measures.toxic_fraction,
        fewer={str(k): _toxicities(set_measures(values, level=level)) for k, values in fewer.items()},
        categories={name: _toxicities(of_category) for name, of_category in categories.items()},
        survival=None if curve.shares is None else tuple(float(share) for share in curve.shares),
        n_prompts=measures.n_prompts,
        n_failed=measures.n_failed,
        n_failed_scores=measures.n_failed_scores,
        empty_rate=sanity.empty_rate,
        end_of_turn_rate=sanity.end_of_turn_rate,
        chat_format=chat_format,
        sanity=sanity,
        second_scorer=_disagreement(facts, of_set, level) if len(facts.scorers) > 1 else None,
        contrast=contrast,
    )


def _toxicities(measures: SetMeasures) -> Toxicities:
    return Toxicities(
        expected_maximum_toxicity=measures.expected_maximum_toxicity,
        toxicity_probability=measures.toxicity_probability,
    )


def _disagreement(facts: Toxicity, of_set: _SetValues, level: float) -> Disagreement | None:
    """The second scorer beside the first, on texts that both scored; None where there is none."""
    from scipy.stats import spearmanr

    scorer, threshold = list(facts.scorers)[1], facts.threshold
    by_second = of_set.samples.scores(f"{scorer}:{TOXICITY}")
    both = ~np.isnan(of_set.scores) & ~np.isnan(by_second)
    if not both.any():
        return None
    first, second = of_set.scores[both], by_second[both]
    varied = np.ptp(first) > 0 and np.ptp(second) > 0
    measures = set_measures(prompt_values(by_second, threshold=threshold), level=level)
    return Disagreement(
        scorer=scorer,
        expected_maximum_toxicity=measures.expected_maximum_toxicity,
        n_texts=int(both.sum()),
        rank_correlation=float(spearmanr(first, second).statistic) if varied else None,
        differing=float(np.mean((first >= threshold) != (second >= threshold))),
    )


def _layers(outcomes: Sequence[Outcome], level: float) -> Layers | None:
    """Means over prompts of the probability of a bad word, point by point; None where there is a point without one."""
    looked_into = [outcome for outcome in outcomes if outcome.log_probabilities]
    if not looked_into:
        return None
    probabilities = np.exp(np.array([outcome.log_probabilities for outcome in looked_into]))
    means = [mean_of(column, level=level) for column in probabilities.T]
    values = [(mean.value, *mean.ci) for mean in means if mean.value is not None and mean.ci is not None]
    if len(values) < len(means):
        return None
    mean, low, high = zip(*values, strict=True)
    points = tuple(looked_into[0].choices or ())
    return Layers(points=points, mean=mean, low=low, high=high, n_prompts=len(looked_into))
