"""Harmlessness in the decision: the verdict on the primary set, what it may be bought with, and the headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import StockPhrase, Toxicity
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import percent
from mplus_eval.reports.finding import (
    Finding,
    Headline,
    Note,
    clauses,
    is_settled,
    no_verdict,
    settling,
    shortened,
    word_of,
)
from mplus_eval.reports.harmlessness_phrasing import (
    is_rise_shown,
    primary_measure,
    primary_of,
    shown_reasons,
    stock_phrase,
    toxicity_contrast,
    why_not_measured,
)
from mplus_eval.reports.text import abridged, one_line
from mplus_eval.reports.verdicts import MARKS, VERDICTS, is_comparable

AXIS, HEADLINE = "Harmlessness", "Toxicity"
EVIDENCE = "#harmlessness"
MEASURED_BY = {
    "expected_maximum_toxicity": "worst of {samples}",
    "toxicity_probability": "any of {samples} toxic",
    "toxic_fraction": "toxic share of {samples}",
}
MOST_MODELS = 3


class RefusalShift(NamedTuple):
    """A difference in refusals that is shown: of which requests, how many are refused, and whether that is worse."""

    set: str
    requests: str
    model: str
    rate: float
    baseline_rate: float
    is_worse: bool


def toxicity_measure(comparison: Comparison) -> str:
    """What the axis is measured by."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return ""
    by = MEASURED_BY[toxicity.primary.measure].format(samples=formats.counted(toxicity.primary_k, "sample"))
    confidence = formats.whole_percent(1 - comparison.level)
    return f"{by} vs {comparison.baseline} [{confidence} CI of difference]"


def toxicity_finding(model: str, comparison: Comparison) -> Finding:
    """A model's verdict on the primary set; less is better."""
    toxicity, contrast = comparison.toxicity, toxicity_contrast(model, comparison)
    notes = tuple(_notes(model, comparison))
    if toxicity is None or contrast is None:
        why = why_not_measured(toxicity, model, comparison.baseline) if toxicity else "no result"
        return no_verdict(AXIS, why, EVIDENCE, notes)
    value, base = (_value(toxicity, name) for name in (model, comparison.baseline))
    told, of_base = ("–" if each is None else formats.decimal(each) for each in (value, base))
    return Finding(
        axis=AXIS,
        mark=MARKS[contrast.verdict],
        word=word_of(
            contrast.verdict,
            VERDICTS[contrast.verdict].toxicity,
            loss_shown=is_rise_shown(contrast, comparison.level),
            small_gain=abs(contrast.difference) <= contrast.margin,
        ),
        value=told,
        interval=f"vs {of_base} [{', '.join(formats.signed_decimal(end) for end in contrast.ci)}]",
        reason="" if is_comparable(contrast) else shown_reasons(contrast.reasons)[0],
        notes=notes,
        href=EVIDENCE,
        verdict=contrast.verdict,
        number=value,
    )


def _value(toxicity: Toxicity, model: str) -> float | None:
    on_primary = primary_of(toxicity, model)
    return primary_measure(toxicity, on_primary).value if on_primary else None


def _notes(model: str, comparison: Comparison) -> Iterable[Note]:
    shifts = refusal_shifts(model, comparison)
    for shift in shifts:
        named = f", {one_line(shift.set)}" if len({each.set for each in shifts}) > 1 else ""
        told = f"refuses {percent(shift.rate)} of {shift.requests} requests"
        yield Note(f"{told} ({comparison.baseline} {percent(shift.baseline_rate)}{named})", shift.is_worse, EVIDENCE)
    of_model = comparison.toxicity.models.get(model) if comparison.toxicity else None
    own = toxicity_contrast(model, comparison)
    worse = [
        name
        for name, on_set in (of_model.sets.items() if of_model else ())
        if on_set.contrast and on_set.contrast is not own and on_set.contrast.verdict is Verdict.DEGRADED
    ]
    if worse and comparison.toxicity:
        yield Note(f"more toxic on {abridged([one_line(name) for name in worse], 2, 'sets')}", True, EVIDENCE)
    if phrase := _stock_phrase(model, comparison):
        yield Note(stock_phrase(phrase, comparison.baseline), True, EVIDENCE)


def refusal_shifts(model: str, comparison: Comparison) -> list[RefusalShift]:
    """The differences in refusals from the baseline whose interval excludes 0, set by set."""
    models = comparison.toxicity.models if comparison.toxicity else {}
    if model not in models or comparison.baseline not in models:
        return []
    of_base, shifts = models[comparison.baseline].refusals, []
    for name, pair in models[model].refusals.items():
        base, contrast = of_base.get(name), pair.contrast
        if base is None or contrast is None:
            continue
        kinds = (
            ("unsafe", contrast.refusals, pair.refusal_rate.value, base.refusal_rate.value, -1),
            ("safe", contrast.over_refusals, pair.over_refusal_rate.value, base.over_refusal_rate.value, 1),
        )
        shifts += [
            RefusalShift(name, requests, model, rate, base_rate, difference.difference * worse > 0)
            for requests, difference, rate, base_rate, worse in kinds
            if difference and difference.is_shown and rate is not None and base_rate is not None
        ]
    return shifts


def toxicity_headline(findings: Mapping[str, Finding], comparison: Comparison) -> Headline:
    """What the verdicts say of all models' toxicity, who refuses otherwise than the baseline, and what would settle."""
    base = _value(comparison.toxicity, comparison.baseline) if comparison.toxicity else None

    def spread(group: Sequence[Finding]) -> str:
        numbers = [each.number for each in group if each.number is not None]
        if not numbers or not is_settled(group[0]) or base is None:
            return ""
        return f" ({formats.spoken_range(numbers, formats.decimal)}; {comparison.baseline} {formats.decimal(base)})"

    needs = {
        name: contrast.items_to_settle
        for name in findings
        if (contrast := toxicity_contrast(name, comparison)) and contrast.verdict is Verdict.UNDECIDED
    }
    shifts = [shift for name in findings for shift in refusal_shifts(name, comparison) if shift.is_worse]
    phrases = {name: phrase for name in findings if (phrase := _stock_phrase(name, comparison))}
    return Headline(
        HEADLINE,
        clauses(findings, spread),
        settle=settling(needs, "prompt"),
        warnings=(*refusals_told(shifts, comparison.baseline), *phrases_told(phrases, comparison.baseline)),
    )


def _stock_phrase(model: str, comparison: Comparison) -> StockPhrase | None:
    of_model = comparison.toxicity.models.get(model) if comparison.toxicity else None
    return of_model.stock_phrase if of_model else None


def phrases_told(found: Mapping[str, StockPhrase], baseline: str) -> Iterable[str]:
    """Whose texts say one phrase over and over, with the one that stands in most of them."""
    if not found:
        return
    first, *others = sorted(found, key=lambda name: -found[name].share)
    shares = [f"{percent(found[name].share)} of {shortened(name)}’s" for name in others]
    more = f"; {abridged(shares, MOST_MODELS, 'models')} say one of their own" if shares else ""
    yield f"{shortened(first)}: {stock_phrase(found[first], baseline)}{more}."


def refusals_told(shifts: Sequence[RefusalShift], baseline: str) -> Iterable[str]:
    """Who is shown to refuse fewer unsafe requests, or more safe ones, than the baseline: a sentence a set and kind."""
    groups = dict.fromkeys((shift.set, shift.requests) for shift in shifts)
    is_one = len({name for name, _ in groups}) == 1
    for name, requests in groups:
        group = [shift for shift in shifts if (shift.set, shift.requests) == (name, requests)]
        first, *others = [(shortened(each.model), percent(each.rate)) for each in group]
        listed = [f"{first[0]} refuses {first[1]}", *(f"{model} {rate}" for model, rate in others)]
        kind = f"{requests} requests" + ("" if is_one else f" of {one_line(name)}")
        base = percent(group[0].baseline_rate)
        yield f"But {abridged(listed, MOST_MODELS, 'models')} of {kind}; {baseline} refuses {base}."
