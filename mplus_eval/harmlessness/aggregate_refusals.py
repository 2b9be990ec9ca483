"""What is stored of refusals turned into figures: rates by patterns and by a judge, and how often the patterns err."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mplus_eval.harmlessness.compliance import guard_judgement
from mplus_eval.harmlessness.measures import mean_of
from mplus_eval.harmlessness.refusal import refusal_rates
from mplus_eval.harmlessness.refusal_error import error_beside_judge
from mplus_eval.harmlessness.refusal_judge import EMPTY, JudgedRefusal, read_refusals
from mplus_eval.judges.unjudged import unjudged
from mplus_eval.records.toxicity import (
    RefusalContrast,
    RefusalError,
    RefusalJudgement,
    RefusalPair,
    ShareDifference,
    Toxicity,
)
from mplus_eval.records.unjudged import Unjudged
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.run_directory import RunDirectory


def refusal_pairs(
    facts: Toxicity,
    directory: RunDirectory,
    names: tuple[str, str],
    missing: Mapping[tuple[str, str], str],
    level: float,
) -> dict[str, RefusalPair]:
    """One model's, by set of refusals that it answered; with a guard's judgement where a scorer is one.

    Args:
        facts: which sets there are.
        directory: where outcomes lie.
        names: of the model and of the baseline that it is held against.
        missing: why a model has no outcomes for a set, by both.
        level: of the intervals.
    """
    pairs = {}
    model, baseline = names
    for name, prompt_set in facts.sets.items():
        if prompt_set.kind != "refusal" or (model, name) in missing:
            continue
        outcomes = list(directory.read_outcomes(model, name))
        if any(outcome.text is not None for outcome in outcomes):
            by_guard = guard_judgement(outcomes, tuple(facts.scorers), facts.threshold, level=level)
            pair = _refusal_pair(outcomes, read_refusals(directory, model, name), level)
            contrast = None
            if model != baseline and (baseline, name) not in missing:
                contrast = refusal_contrast(outcomes, list(directory.read_outcomes(baseline, name)), level)
            pairs[name] = pair.model_copy(update={"by_guard": by_guard, "contrast": contrast})
    return pairs


def refusal_contrast(
    outcomes: Sequence[Outcome], baseline: Sequence[Outcome], level: float = 0.05
) -> RefusalContrast | None:
    """What a model refuses more or less often than the baseline, over the requests that both answered with words.

    The interval is that of any paired difference of items that stand alone: Tango's (`statistics.paired`).

    Args:
        outcomes: the model's.
        baseline: the baseline's to the same requests.
        level: the interval has confidence 1 − `level`.
    """
    before = {outcome.item_id: outcome for outcome in baseline if _has_words(outcome)}
    pairs = [
        (outcome, before[outcome.item_id]) for outcome in outcomes if _has_words(outcome) and outcome.item_id in before
    ]
    if not pairs:
        return None
    by_label = {
        label: [float(own.score or 0.0) - float(other.score or 0.0) for own, other in pairs if own.target == label]
        for label in ("unsafe", "safe")
    }
    return RefusalContrast(
        refusals=_share_difference(by_label["unsafe"], level), over_refusals=_share_difference(by_label["safe"], level)
    )


def _has_words(outcome: Outcome) -> bool:
    """Whether there is an answer that may refuse; one that is empty enters no rate."""
    return outcome.score is not None and bool((outcome.text or "").strip())


def _share_difference(differences: Sequence[float], level: float) -> ShareDifference | None:
    """The mean of differences of 0/1 scores, an item each; None where there are none."""
    if not differences:
        return None
    found = paired_difference(differences, Design.plain(len(differences)))
    low, high = found.interval(level)
    return ShareDifference(difference=float(found.value), ci=(float(low), float(high)), n_prompts=len(differences))


def _refusal_pair(outcomes: Sequence[Outcome], judged: Mapping[str, JudgedRefusal], level: float) -> RefusalPair:
    """Rates by the patterns, and by a language model where one judged."""
    answered = [outcome for outcome in outcomes if outcome.text is not None]
    rates = refusal_rates(
        [outcome.target for outcome in answered], [outcome.text or "" for outcome in answered], level=level
    )
    verdicts = [(outcome, judged[outcome.item_id].refused) for outcome in answered if outcome.item_id in judged]
    told = [(outcome, refused) for outcome, refused in verdicts if refused is not None]
    by_judge = None
    if told:
        unsafe, safe = (
            np.array([float(refused) for outcome, refused in told if outcome.target == label])
            for label in ("unsafe", "safe")
        )
        by_judge = RefusalJudgement(
            refusal_rate=mean_of(unsafe, level=level),
            over_refusal_rate=mean_of(safe, level=level),
            n_unjudged=len(verdicts) - len(told),
            agreement=float(np.mean([bool(outcome.score) == refused for outcome, refused in told])),
        )
    return RefusalPair(
        refusal_rate=rates.refusal,
        over_refusal_rate=rates.over_refusal,
        n_empty=rates.n_empty_safe + rates.n_empty_unsafe,
        n_failed=len(outcomes) - len(answered),
        by_judge=by_judge,
    )


def refusal_error(
    facts: Toxicity, directory: RunDirectory, model: str, missing: Mapping[tuple[str, str], str]
) -> RefusalError:
    """How often the patterns err on a model's own answers, by a judge where one told them; else on held-out texts."""
    verdicts = []
    for name, prompt_set in facts.sets.items():
        judged = read_refusals(directory, model, name) if prompt_set.kind == "refusal" else {}
        if not judged or (model, name) in missing:
            continue
        for outcome in directory.read_outcomes(model, name):
            verdict = judged.get(outcome.item_id)
            if verdict is not None and verdict.refused is not None and outcome.score is not None:
                verdicts.append((bool(outcome.score), verdict.refused))
    return error_beside_judge(verdicts)


def refusals_unjudged(
    facts: Toxicity, directory: RunDirectory, models: Iterable[str], missing: Mapping[tuple[str, str], str]
) -> tuple[Unjudged, ...]:
    """What the judge of refusals left open, where that is too much; empty answers are not put to it."""
    causes: dict[str, list[str | None]] = {}
    for model in models:
        of_model = causes.setdefault(model, [])
        for name, prompt_set in facts.sets.items():
            if prompt_set.kind == "refusal" and (model, name) not in missing:
                verdicts = read_refusals(directory, model, name).values()
                of_model += [each.cause if each.refused is None else None for each in verdicts if each.cause != EMPTY]
    found = unjudged("the judge of refusals", causes)
    return (found,) if found else ()
