"""What is said of toxicity: a sentence a model, from its verdict on the primary set and never stronger than it."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Measured, SetToxicity, StockPhrase, Toxicity, ToxicityContrast
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import percent
from mplus_eval.reports.text import abridged, enumerated, one_line, truncate_end
from mplus_eval.reports.verdicts import VERDICTS

MOST_REASONS = 2
REASON_LENGTH = 160
PHRASE_LENGTH = 60
LEADS = {
    "expected_maximum_toxicity": "{how}, worst of {samples}: toxicity",
    "toxicity_probability": "{how}, probability that any of {samples} is toxic:",
    "toxic_fraction": "{how}, toxic share of {samples}:",
}
MEASURES = {
    "expected_maximum_toxicity": "Expected maximum toxicity",
    "toxicity_probability": "Toxicity probability",
    "toxic_fraction": "Toxic fraction",
}


def primary_of(toxicity: Toxicity, model: str) -> SetToxicity | None:
    """What was found of a model on the primary set."""
    of_model = toxicity.models.get(model)
    return of_model.sets.get(toxicity.primary.set) if of_model else None


def primary_measure(toxicity: Toxicity, on_set: SetToxicity) -> Measured:
    """The measure on which verdicts stand."""
    has_k = toxicity.primary.measure != "toxic_fraction"
    at_k = on_set.fewer.get(str(toxicity.primary_k), on_set) if has_k else on_set
    measured: Measured = getattr(at_k, toxicity.primary.measure)
    return measured


def primary_named(toxicity: Toxicity) -> str:
    """The measure on which verdicts stand: `expected maximum toxicity of 10 of 25 samples`."""
    name = MEASURES[toxicity.primary.measure].lower()
    return name if toxicity.primary.measure == "toxic_fraction" else f"{name} of {primary_samples(toxicity)}"


def primary_samples(toxicity: Toxicity) -> str:
    """`10 of 25 samples`, or `10 samples` where that is all of them."""
    k, drawn = toxicity.primary_k, formats.counted(toxicity.samples, "sample")
    return drawn if k == toxicity.samples else f"{k} of {drawn}"


def toxicity_contrast(model: str, comparison: Comparison) -> ToxicityContrast | None:
    """A model's contrast on the primary set."""
    on_primary = primary_of(comparison.toxicity, model) if comparison.toxicity else None
    return on_primary.contrast if on_primary else None


def toxicity_sentence(model: str, comparison: Comparison) -> str:
    """Say what the verdict says of one model's toxicity; empty where toxicity was not evaluated."""
    toxicity, baseline = comparison.toxicity, comparison.baseline
    if toxicity is None:
        return ""
    own, base = primary_of(toxicity, model), primary_of(toxicity, baseline)
    contrast = own.contrast if own else None
    if own is None or base is None or contrast is None:
        return f"The toxicity of {model} is unknown: {why_not_measured(toxicity, model, baseline)}."
    value, base_value = (formats.decimal(primary_measure(toxicity, on).value or 0.0) for on in (own, base))
    primary = toxicity.sets.get(toxicity.primary.set)
    lead = LEADS[toxicity.primary.measure].format(
        how="Provoked" if primary and primary.provoking else "Prompted",
        samples=formats.counted(toxicity.primary_k, "sample"),
    )
    low, high = map(formats.signed_decimal, contrast.ci)
    detectable = contrast.smallest_detectable_difference
    facts = {
        "baseline": baseline,
        "measured": f"{lead} {value}, {baseline} {base_value} (difference "
        f"{formats.signed_decimal(contrast.difference)}, {formats.whole_percent(1 - comparison.level)} CI {low} to "
        f"{high})",
        "margin": formats.decimal(contrast.margin),
        "settle": formats.to_settle(contrast.items_to_settle, "prompt"),
        "prompts": formats.counted(contrast.n_pairs, "prompt"),
        "detectable": "" if detectable is None else formats.decimal(detectable),
        "not_compared": not_compared(model, contrast.reasons),
    }
    cases = {
        "loss_shown": is_rise_shown(contrast, comparison.level),
        "beyond_margin": abs(contrast.difference) > contrast.margin,
        "power_known": detectable is not None,
    }
    return VERDICTS[contrast.verdict].toxicity.sentence(facts, cases)


def is_rise_shown(contrast: ToxicityContrast, level: float) -> bool:
    """Whether it is shown that a model is more toxic, by however much."""
    return contrast.difference > 0 and contrast.p_adjusted < level


def why_not_measured(toxicity: Toxicity, model: str, baseline: str) -> str:
    """Why a model has no contrast on the primary set, or its baseline no value, without the full stop."""
    for name in (model, baseline):
        of_model = toxicity.models.get(name)
        if of_model and (why := of_model.missing.get(toxicity.primary.set)):
            return truncate_end(one_line(why), REASON_LENGTH).rstrip(".") + (f" ({baseline})" if name != model else "")
    return f"no result on {one_line(toxicity.primary.set)}"


def toxicity_remarks(model: str, comparison: Comparison) -> Iterable[str]:
    """Name the further sets on which a model is more or less toxic, where its sentence does not say so."""
    toxicity = comparison.toxicity
    if toxicity is None or model not in toxicity.models:
        return
    contrasts = {name: on_set.contrast for name, on_set in toxicity.models[model].sets.items() if on_set.contrast}
    own = contrasts.pop(toxicity.primary.set, None)
    for verdict, told in reversed(VERDICTS.items()):
        listed = [
            f"{name} ({formats.signed_decimal(contrast.difference)})"
            for name, contrast in contrasts.items()
            if contrast.verdict is verdict
        ]
        if told.sets and listed and not (own and own.verdict is verdict):
            yield told.sets.format(sets=abridged(listed, 3, "sets"))
    if phrase := toxicity.models[model].stock_phrase:
        yield f"{stock_phrase(phrase, comparison.baseline)}."
    flags = dict.fromkeys(flag for contrast in (own, *contrasts.values()) if contrast for flag in contrast.flags)
    yield from (f"Read its toxicity with care: {one_line(flag)}." for flag in flags)


def stock_phrase(phrase: StockPhrase, baseline: str) -> str:
    """What a model says over and over: `90 % of texts on talk say “i don't know” (base: no phrase in over 8 %)`."""
    text = truncate_end(one_line(phrase.text), PHRASE_LENGTH)
    share, most = (percent(each) for each in (phrase.share, phrase.baseline_share))
    return f"{share} of texts on {one_line(phrase.set)} say “{text}” ({baseline}: no phrase in over {most})"


def shown_reasons(reasons: Iterable[str]) -> list[str]:
    """Reasons fit to show, one at least."""
    shown = [truncate_end(one_line(reason), REASON_LENGTH).rstrip(".") for reason in reasons]
    return shown or ["its texts cannot be compared"]


def not_compared(model: str, reasons: Iterable[str], at_most: int = MOST_REASONS) -> str:
    """Say why a model's toxicity is not compared, with the first reasons."""
    shown = shown_reasons(reasons)
    joined = abridged(shown, at_most, "reasons")
    # Reasons follow the model's name, but for those that have a subject of their own.
    if shown[0].startswith(("the ", "its ")):
        return f"The toxicity of {model} is not compared: {joined}."
    return f"{model} {joined}; its toxicity is not compared."


def scorers_with_hashes(toxicity: Toxicity) -> list[str]:
    """Every scorer with the beginning of its hash; the first one's figures are compared."""
    return [f"{one_line(name)} (hash {one_line(full)[:12]})" for name, full in toxicity.scorers.items()]


def scorers_named(toxicity: Toxicity) -> str:
    """The scorers with the beginnings of their hashes; the first one counts."""
    first, *others = scorers_with_hashes(toxicity)
    return f"{first}; beside it {enumerated(others)}, to see them disagree" if others else first
