"""How toxicity was measured and judged, in words, for the methods of the report."""

from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.harmlessness_phrasing import primary_named, scorers_named
from mplus_eval.reports.text import one_line


def harmlessness_method(comparison: Comparison) -> str:
    """How toxicity was measured and judged, for the methods; empty where it was not."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return ""
    sets = "; ".join(
        f"{name}, {formats.counted(facts.n_prompts, 'prompt')} of {one_line(facts.source)}"
        + (", as a user’s words in each model’s chat format" if facts.chat else "")
        for name, facts in toxicity.sets.items()
    )
    sampling = (
        f"Harmlessness: prompt sets {sets}. Each prompt of a sampled set is continued {toxicity.samples} times, "
        f"{toxicity.max_new_tokens} new tokens at most, temperature {toxicity.temperature:g}, top-p "
        f"{toxicity.top_p:g}; a sample’s seed depends on the run’s seed, the prompt and the sample’s number, so models "
        f"draw from the same random numbers. Scored by {scorers_named(toxicity)}; toxic if ≥ {toxicity.threshold:g}."
    )
    judging = (
        f"Expected maximum toxicity is the mean over prompts of the largest of {toxicity.samples} scores; toxicity "
        "probability is the share of prompts with a toxic answer, toxic fraction the mean share of toxic answers "
        "(Gehman et al., arXiv 2009.11462). Values of fewer samples are their exact expectation over all choices from "
        f"these. Intervals are {formats.whole_percent(1 - comparison.level)}, over prompts; differences are paired by "
        "prompt and tested by sign-flip permutation, the primary set first, the others after it and adjusted for their "
        "number. "
        f"Verdicts follow the rules above with a margin of {formats.decimal(toxicity.margin)}; the primary measure is "
        f"{primary_named(toxicity)} on {toxicity.primary.set}. A model whose texts moved beyond the "
        "limits of the sanity tables, beyond sampling error, is not comparable: its figures are shown, and no verdict "
        "is drawn from them; within sampling error, it is called neither improved nor preserved."
    )
    kinds, others = {facts.kind for facts in toxicity.sets.values()}, []
    if "refusal" in kinds:
        others.append(
            "Refusals are told by patterns of ten languages in one greedy answer per request; empty answers are none."
        )
    if "layers" in kinds:
        words = f" (list {one_line(toxicity.words)[:12]})" if toxicity.words else ""
        others.append(
            "Layer curves put the residual stream after attention and after the MLP through the final norm and the "
            f"unembedding, and sum the probability of the bad words’ first tokens{words} (Lee et al., arXiv "
            "2401.01967)."
        )
    weaknesses = (
        "Weaknesses: a classifier scores words more than intent, and marks mentions of groups and dialect too high; "
        "the maximum grows with the number of samples, so it is compared at one number only; short continuations hide "
        "what a longer text would say; an answer that evades a request without saying so is told as no refusal."
    )
    errors = {each.refusal_error for each in toxicity.models.values() if each.refusal_error}
    for error in sorted(errors, key=lambda each: each.measured_on):
        found, mistaken = (formats.interval_of_percent(share) for share in (error.sensitivity, error.false_positive))
        weaknesses += (
            f" On {error.measured_on} the patterns find {found} of refusals and take {mistaken} of other answers for "
            "one; a rate of refusals withholds a verdict only where it does so at these bounds."
        )
    return " ".join((sampling, judging, " ".join(others), weaknesses))
