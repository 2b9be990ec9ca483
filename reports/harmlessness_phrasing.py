"""What is said of toxicity: a sentence a model, from its verdict on the primary set and never stronger than it."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Measured, SetToxicity, Toxicity, ToxicityContrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.tables import MARKS, NO_VERDICT, Mark
from mplus_eval.reports.text import abridged, enumerated, head, one_line

MOST_REASONS = 2
REASON_LENGTH = 160
LEADS = {
    "expected_maximum_toxicity": "In its worst of {answers} to {prompt}",
    "toxicity_probability": "By whether any of {answers} to {prompt} is toxic",
    "toxic_fraction": "By the share of toxic ones among {answers} to {prompt}",
}
MEASURES = {
    "expected_maximum_toxicity": "Expected maximum toxicity",
    "toxicity_probability": "Toxicity probability",
    "toxic_fraction": "Toxic fraction",
}


def primary_of(toxicity: Toxicity, model: str) -> SetToxicity | None:
    """What was found of a model on the primary set."""
    found = toxicity.models.get(model)
    return found.sets.get(toxicity.primary.set) if found else None


def measured(toxicity: Toxicity, found: SetToxicity) -> Measured:
    """The measure on which verdicts stand."""
    value: Measured = getattr(found, toxicity.primary.measure)
    return value


def toxicity_contrast(model: str, comparison: Comparison) -> ToxicityContrast | None:
    """A model's contrast on the primary set."""
    found = primary_of(comparison.toxicity, model) if comparison.toxicity else None
    return found.contrast if found else None


def toxicity_sentence(model: str, comparison: Comparison) -> str:
    """Say what the verdict says of one model's toxicity; empty where toxicity was not evaluated."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return ""
    found, base = primary_of(toxicity, model), primary_of(toxicity, comparison.baseline)
    if found is None or base is None or found.contrast is None:
        return f"The toxicity of {model} is unknown: {_cause(toxicity, model, comparison.baseline)}."
    if found.contrast.verdict is Verdict.NOT_COMPARABLE:
        return not_compared(model, found.contrast.reasons)
    judged = _judged(found.contrast, comparison, measured(toxicity, found), measured(toxicity, base))
    return f"{_lead(toxicity)}, {model} {judged}"


def toxicity_remarks(model: str, comparison: Comparison) -> Iterable[str]:
    """Name the further sets on which a model is more or less toxic, where its sentence does not say so."""
    toxicity = comparison.toxicity
    sets = toxicity.models[model].sets if toxicity and model in toxicity.models else {}
    contrasts = {name: found.contrast for name, found in sets.items() if found.contrast}
    own = contrasts.pop(toxicity.primary.set, None) if toxicity else None
    for verdict, word in ((Verdict.DEGRADED, "more"), (Verdict.IMPROVED, "less")):
        said = [
            f"{name} ({formats.toxicity_difference(contrast.difference)})"
            for name, contrast in contrasts.items()
            if contrast.verdict is verdict and (own is None or own.verdict is not verdict)
        ]
        if said:
            yield f"It is {word} toxic on {abridged(said, 3, 'sets')}."
    flags = dict.fromkeys(flag for contrast in (own, *contrasts.values()) if contrast for flag in contrast.flags)
    yield from (f"Read its toxicity with care: {one_line(flag)}." for flag in flags)


def toxicity_axis(model: str, comparison: Comparison) -> tuple[Mark, str]:
    """A model's verdict on toxicity, and the figure or the reason behind it."""
    contrast = toxicity_contrast(model, comparison)
    if contrast is None:
        return NO_VERDICT, "no result"
    if contrast.verdict is Verdict.NOT_COMPARABLE:
        return MARKS[contrast.verdict], first_reason(contrast)
    interval = ", ".join(formats.toxicity_difference(end) for end in contrast.ci)
    return MARKS[contrast.verdict], f"{formats.toxicity_difference(contrast.difference)} [{interval}]"


def first_reason(contrast: ToxicityContrast) -> str:
    """The first reason why a model is not compared."""
    return shown_reasons(contrast.reasons)[0]


def shown_reasons(reasons: Iterable[str]) -> list[str]:
    """Reasons fit to show, one at least."""
    return [head(one_line(reason), REASON_LENGTH).rstrip(".") for reason in reasons] or ["its texts cannot be compared"]


def not_compared(model: str, reasons: Iterable[str], at_most: int = MOST_REASONS) -> str:
    """Say why a model's toxicity is not compared, with the first reasons."""
    shown = shown_reasons(reasons)
    said = abridged(shown, at_most, "reasons")
    # Reasons follow the model's name, but for those that have a subject of their own.
    if shown[0].startswith(("the ", "its ")):
        return f"The toxicity of {model} is not compared: {said}."
    return f"{model} {said}; its toxicity is not compared."


def _cause(toxicity: Toxicity, model: str, baseline: str) -> str:
    for name in (model, baseline):
        found = toxicity.models.get(name)
        if found and (why := found.missing.get(toxicity.primary.set)):
            return head(one_line(why), REASON_LENGTH).rstrip(".") + (f" ({baseline})" if name != model else "")
    return f"no result on {one_line(toxicity.primary.set)}"


def _lead(toxicity: Toxicity) -> str:
    facts = toxicity.sets.get(toxicity.primary.set)
    prompt = "a provocation" if facts and facts.provoking else "a prompt"
    answers = formats.counted(toxicity.samples, "answer")
    return LEADS[toxicity.primary.measure].format(answers=answers, prompt=prompt)


def _judged(contrast: ToxicityContrast, comparison: Comparison, own: Measured, of_base: Measured) -> str:
    """The rest of the sentence, after the model's name."""
    base, interval = comparison.baseline, formats.spoken_toxicities(contrast.ci)
    value, base_value = (formats.toxicity(one.value or 0.0) for one in (own, of_base))
    figures = f"{value} against {base_value} ({interval})"
    if contrast.verdict is Verdict.IMPROVED:
        return f"is less toxic than {base}: {figures}."
    if contrast.verdict is Verdict.DEGRADED:
        return f"is more toxic than {base}: {figures}."
    if contrast.verdict is Verdict.PRESERVED:
        return _preserved(contrast, comparison, figures)
    n_prompts = formats.counted(contrast.n_pairs, "prompt")
    told = f"comes to {value}, {base} to {base_value} ({interval})"
    told = f"{told}. {'This' if contrast.n_pairs == 1 else 'These'} {n_prompts} cannot tell"
    if contrast.smallest_detectable_difference is None:
        return f"{told}."
    return f"{told}; they could show a rise of {formats.toxicity(contrast.smallest_detectable_difference)} or more."


def _preserved(contrast: ToxicityContrast, comparison: Comparison, figures: str) -> str:
    base, size = comparison.baseline, formats.toxicity(contrast.margin)
    if contrast.difference > 0 and contrast.p_adjusted < comparison.level:
        return f"is more toxic than {base}, but within the margin of {size}: {figures}."
    is_inside = abs(contrast.difference) <= contrast.margin
    end = f"inside the margin of {size}" if is_inside else f"a rise over the margin of {size} is ruled out"
    return f"is no more toxic than {base}: {figures}, {end}."


def harmlessness_method(comparison: Comparison) -> str:
    """How toxicity was measured and judged, for the methods; empty where it was not."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return ""
    return " ".join((_sampling(toxicity), _judging(toxicity, comparison.level), _other_kinds(toxicity), _weaknesses()))


def _sampling(toxicity: Toxicity) -> str:
    sets = "; ".join(
        f"{name}, {formats.counted(facts.n_prompts, 'prompt')} of {one_line(facts.source)}"
        + (", as a user’s words in each model’s chat format" if facts.chat else "")
        for name, facts in toxicity.sets.items()
    )
    return (
        f"Harmlessness: prompt sets {sets}. Each prompt of a sampled set is gone on from {toxicity.samples} times, "
        f"{toxicity.max_new_tokens} new tokens at most, temperature {toxicity.temperature:g}, top-p "
        f"{toxicity.top_p:g}; a sample’s seed depends on the run’s seed, the prompt and the sample’s number, so models "
        f"draw from the same random numbers. Scored by {scorers_named(toxicity)}; toxic from {toxicity.threshold:g} on."
    )


def _judging(toxicity: Toxicity, level: float) -> str:
    return (
        f"Expected maximum toxicity is the mean over prompts of the largest of {toxicity.samples} scores; toxicity "
        "probability is the share of prompts with a toxic answer, toxic fraction the mean share of toxic answers "
        "(Gehman et al., arXiv 2009.11462). Values of fewer samples are their exact expectation over all choices from "
        f"these. Intervals are {formats.whole_percent(1 - level)}, over prompts; differences are paired by prompt, "
        "tested by sign-flip permutation, and Holm-adjusted over the sets of a model. "
        f"Verdicts follow the rules above with a margin of {formats.toxicity(toxicity.margin)}; the primary measure is "
        f"{MEASURES[toxicity.primary.measure].lower()} on {toxicity.primary.set}. A model whose texts moved beyond the "
        "limits of the sanity tables is not comparable: its figures are shown, and no verdict is drawn from them."
    )


def _other_kinds(toxicity: Toxicity) -> str:
    kinds = {facts.kind for facts in toxicity.sets.values()}
    said = []
    if "refusal" in kinds:
        said.append("Refusals are found by a string matcher in one greedy answer a request; empty answers are none.")
    if "layers" in kinds:
        words = f" (list {one_line(toxicity.words)[:12]})" if toxicity.words else ""
        said.append(
            "Layer curves put the residual stream after attention and after the MLP through the final norm and the "
            f"unembedding, and sum the probability of the bad words’ first tokens{words} (Lee et al., arXiv "
            "2401.01967)."
        )
    return " ".join(said)


def _weaknesses() -> str:
    return (
        "Weaknesses: a classifier scores words more than intent, and marks mentions of groups and dialect too high; "
        "the maximum grows with the number of samples, so it is compared at one number only; short continuations hide "
        "what a longer text would say; the string matcher knows English phrases only."
    )


def scorers_named(toxicity: Toxicity) -> str:
    """The scorers with the beginnings of their hashes; the first one counts."""
    first, *others = _named(toxicity)
    return f"{first}; beside it {enumerated(others)}, to see them disagree" if others else first


def scorer_named(toxicity: Toxicity) -> str:
    """The scorer whose figures are compared, with the beginning of its hash."""
    return _named(toxicity)[0]


def _named(toxicity: Toxicity) -> list[str]:
    return [f"{one_line(name)} (hash {one_line(found)[:12]})" for name, found in toxicity.scorers.items()]
