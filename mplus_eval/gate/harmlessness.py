"""Evidence of the second axis: toxicity, refusals, and what the texts themselves are like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from mplus_eval.gate.evidence import Evidence, Scope, chosen, or_absent, reason, shown
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Measured, ModelToxicity, RefusalPair, SetToxicity, ShareDifference, Toxicity
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.harmlessness_phrasing import MEASURES, primary_measure, primary_named
from mplus_eval.reports.units import FRACTION, TOXICITY, Unit

AXIS = "harmlessness"
LINK = "#harmlessness"
NOT_EVALUATED = "harmlessness was not evaluated"
PRIMARY = "primary"
"""The word by which a rule names the set on which a run's verdict stands."""
LESS_IS_BETTER = Unit(True, higher_is_better=False)
RATES = {"empty": "empty texts", "truncated": "truncated texts", "loop": "looping texts", "copy": "copied texts"}
"""By the beginning of the names that `Sanity` has for them."""

OfSet = Callable[[Toxicity, str, SetToxicity], Evidence]
OfRefusals = Callable[[str, RefusalPair], Evidence]
Find = Callable[[Comparison, str, Scope], Iterator[Evidence]]


def toxicity(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """The measure on which verdicts stand, on the primary set unless others are named."""

    def of_set(found: Toxicity, name: str, on_set: SetToxicity) -> Evidence:
        contrast, measured = on_set.contrast, primary_measure(found, on_set)
        return Evidence(
            _place(name),
            LINK,
            primary_named(found),
            absent="" if contrast else _why_absent(found, comparison.baseline, name),
            verdict=contrast.verdict if contrast else None,
            reasons=contrast.reasons if contrast else (),
            value=measured.value,
            ci=measured.ci,
            difference=contrast.difference if contrast else None,
            difference_ci=contrast.ci if contrast else None,
            n_items=contrast.n_pairs if contrast else None,
            items_to_settle=contrast.items_to_settle if contrast else None,
            unit=TOXICITY,
        )

    return _of_sets(comparison, model, scope, of_set)


def measured_as(name: str) -> Find:
    """One of the measures of toxicity over all samples that were drawn, by its name in the records."""

    def of_set(_found: Toxicity, set_name: str, on_set: SetToxicity) -> Evidence:
        measured: Measured = getattr(on_set, name)
        evidence = _measured(set_name, MEASURES[name].lower(), measured, TOXICITY)
        contrast = on_set.contrast
        if contrast is None or contrast.verdict is not Verdict.NOT_COMPARABLE:
            return evidence
        # Silence and babble are not toxic either: what cannot be compared must not pass an absolute limit.
        return replace(evidence, verdict=contrast.verdict, reasons=contrast.reasons)

    return lambda comparison, model, scope: _of_sets(comparison, model, scope, of_set)


def rate_of(name: str) -> Find:
    """The share of texts that are empty, truncated, loops or copies, on all sampled sets unless some are named."""

    def of_set(_found: Toxicity, set_name: str, on_set: SetToxicity) -> Evidence:
        value: float | None = getattr(on_set.sanity, f"{name}_rate")
        low, high = on_set.sanity.intervals.get(f"{name}_rate", (None, None))
        known = low is not None or high is not None
        interval = (0.0 if low is None else low, 1.0 if high is None else high) if known else None
        measured = Measured(value=value, ci=interval, n_prompts=on_set.n_prompts)
        return _measured(set_name, RATES[name], measured, LESS_IS_BETTER)

    return lambda comparison, model, scope: _of_sets(comparison, model, _all_unless_named(scope), of_set)


def refusals(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """The share of unsafe requests that are refused, told by the patterns, on every set of requests."""

    def of_pair(name: str, pair: RefusalPair) -> Evidence:
        difference = pair.contrast.refusals if pair.contrast else None
        return _rate(name, "refusals of unsafe requests", pair.refusal_rate, difference, FRACTION)

    return _of_refusals(comparison, model, scope, of_pair)


def over_refusals(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """The share of safe requests that are refused."""

    def of_pair(name: str, pair: RefusalPair) -> Evidence:
        difference = pair.contrast.over_refusals if pair.contrast else None
        return _rate(name, "refusals of safe requests", pair.over_refusal_rate, difference, LESS_IS_BETTER)

    return _of_refusals(comparison, model, scope, of_pair)


def failed_prompts(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """Of each sampled set, the prompts without a value."""

    def of_set(_found: Toxicity, name: str, on_set: SetToxicity) -> Evidence:
        if not on_set.n_prompts:
            return Evidence(_place(name), LINK, absent="no prompt is stored")
        share = on_set.n_failed / on_set.n_prompts
        return Evidence(
            _place(name), LINK, "failed prompts", value=share, count=on_set.n_failed, n_items=on_set.n_prompts
        )

    return _of_sets(comparison, model, _all_unless_named(scope), of_set)


def sets_of(found: Toxicity, kind: str) -> list[str]:
    """The prompt sets of a kind."""
    return [name for name, facts in found.sets.items() if facts.kind == kind]


def _of_sets(comparison: Comparison, model: str, scope: Scope, of_set: OfSet) -> Iterator[Evidence]:
    found = comparison.toxicity
    if found is None:
        yield Evidence(AXIS, LINK, absent=NOT_EVALUATED)
        return
    of_model = found.models.get(model, ModelToxicity(scorer=""))
    patterns = [found.primary.set if name == PRIMARY else name for name in scope.sets or (PRIMARY,)]
    pieces = (
        of_set(found, name, of_model.sets[name])
        if name in of_model.sets
        else Evidence(_place(name), LINK, absent=_why_absent(found, model, name))
        for name in chosen(sets_of(found, "sampled"), patterns)
    )
    yield from or_absent(pieces, AXIS, f"no prompt set matches {reason(', '.join(patterns))}")


def _of_refusals(comparison: Comparison, model: str, scope: Scope, of_pair: OfRefusals) -> Iterator[Evidence]:
    found = comparison.toxicity
    if found is None:
        yield Evidence(AXIS, LINK, absent=NOT_EVALUATED)
        return
    of_model = found.models.get(model, ModelToxicity(scorer=""))
    pieces = (
        of_pair(name, of_model.refusals[name])
        if name in of_model.refusals
        else Evidence(_place(name), LINK, absent=_why_absent(found, model, name))
        for name in chosen(sets_of(found, "refusal"), scope.sets)
    )
    yield from or_absent(pieces, AXIS, "no set of requests was asked")


def _rate(name: str, what: str, rate: Measured, difference: ShareDifference | None, unit: Unit) -> Evidence:
    measured = _measured(name, what, rate, unit)
    if difference is None:
        return measured
    return replace(measured, difference=difference.difference, difference_ci=difference.ci)


def _measured(name: str, what: str, measured: Measured, unit: Unit) -> Evidence:
    absent = "no value is stored" if measured.value is None else ""
    value, interval = measured.value, measured.ci
    return Evidence(_place(name), LINK, what, absent, value=value, ci=interval, n_items=measured.n_prompts, unit=unit)


def _all_unless_named(scope: Scope) -> Scope:
    return Scope(sets=scope.sets or ("*",))


def _place(name: str) -> str:
    return f"set {shown(name)}"


def _why_absent(found: Toxicity, model: str, name: str) -> str:
    of_model = found.models.get(model)
    return reason(of_model.missing[name]) if of_model and name in of_model.missing else "no result is stored"
