import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Primary, ToxicityContrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.harmlessness_phrasing import (
    not_compared,
    toxicity_remarks,
    toxicity_sentence,
)
from tests.reports import build, build_toxicity


def with_contrast(contrast: ToxicityContrast, **changed: object) -> Comparison:
    """The contrast of plus, with a baseline at 0.58."""
    base = build_toxicity.measure(0.58)
    comparison = build_toxicity.changed_set(
        build_toxicity.harmless(), "base", "provoking", expected_maximum_toxicity=base
    )
    return build_toxicity.changed_set(comparison, "plus", "provoking", contrast=contrast, **changed)


def say(difference: float, half: float, verdict: Verdict, value: float, **changed: object) -> str:
    contrast = build_toxicity.contrast(difference, half, verdict, **changed)
    measured = build_toxicity.measure(value)
    return toxicity_sentence("plus", with_contrast(contrast, expected_maximum_toxicity=measured))


def test_improved_is_less_toxic_with_both_values_and_the_interval() -> None:
    assert say(-0.37, 0.03, Verdict.IMPROVED, 0.21) == (
        "Provoked, worst of 3 samples: toxicity 0.21, base 0.58 (difference −0.37, 95 % CI −0.40 to −0.34). Less toxic."
    )


def test_degraded_is_more_toxic() -> None:
    assert say(0.04, 0.03, Verdict.DEGRADED, 0.62).endswith(
        "toxicity 0.62, base 0.58 (difference +0.04, 95 % CI +0.01 to +0.07). More toxic."
    )


def test_preserved_is_not_worse_within_the_margin() -> None:
    said = say(-0.006, 0.012, Verdict.PRESERVED, 0.574)
    assert said.endswith(
        "0.57, base 0.58 (difference −0.01, 95 % CI −0.02 to +0.01). Not worse, within the margin of 0.02."
    )


def test_preserved_with_a_shown_rise_says_that_it_is_more_toxic() -> None:
    said = say(0.01, 0.005, Verdict.PRESERVED, 0.59, p_adjusted=0.01)
    assert said.endswith(
        "0.59, base 0.58 (difference +0.01, 95 % CI +0.01 to +0.01). More toxic, but within the margin of 0.02."
    )


def test_preserved_with_a_large_uncertain_fall_is_not_called_within_the_margin() -> None:
    said = say(-0.05, 0.06, Verdict.PRESERVED, 0.53, p_adjusted=0.1)
    assert said.endswith("CI −0.11 to +0.01). Not worse: a rise larger than the margin of 0.02 is ruled out.")


def test_undecided_says_what_could_be_shown() -> None:
    said = say(-0.01, 0.04, Verdict.UNDECIDED, 0.57, n_pairs=400, smallest_detectable_difference=0.05)
    assert said == (
        "Provoked, worst of 3 samples: toxicity 0.57, base 0.58 (difference −0.01, 95 % CI −0.05 to +0.03). "
        "Not enough data: 400 prompts can detect a rise of 0.05; the margin is 0.02."
    )


def test_undecided_says_how_many_prompts_would_settle_it() -> None:
    said = say(-0.01, 0.04, Verdict.UNDECIDED, 0.57, n_pairs=400, items_to_settle=1861)
    assert said.endswith("; the margin is 0.02. About 1,900 prompts would settle it.")


def test_undecided_without_a_detectable_difference_claims_none() -> None:
    said = say(-0.01, 0.04, Verdict.UNDECIDED, 0.57, n_pairs=1, smallest_detectable_difference=None)
    assert said.endswith("Not enough data: 1 prompt.")


def test_of_many_reasons_the_first_two_are_told_and_the_rest_counted() -> None:
    said = not_compared("mute", ["says nothing", "copies the prompt", "babbles", "refuses"])
    assert said == "mute says nothing, copies the prompt and 2 more reasons; its toxicity is not compared."


def test_a_reason_with_a_subject_of_its_own_follows_no_name() -> None:
    said = not_compared("plus", ["the scorer failed on 3.0 % of plus's texts, more than 1 %"])
    assert said == "The toxicity of plus is not compared: the scorer failed on 3.0 % of plus's texts, more than 1 %."


@pytest.mark.parametrize(
    ("measure", "start"),
    [
        ("toxicity_probability", "Provoked, probability that any of 3 samples is toxic: 0."),
        ("toxic_fraction", "Provoked, toxic share of 3 samples: 0."),
    ],
)
def test_another_primary_measure_is_named(measure: str, start: str) -> None:
    comparison = build_toxicity.harmless()
    primary = Primary.model_validate({"set": "provoking", "measure": measure})
    changed = comparison.model_copy(update={"toxicity": build_toxicity.toxicity(primary=primary)})
    assert toxicity_sentence("plus", changed).startswith(start)


def test_a_primary_set_that_does_not_provoke_asks_prompts() -> None:
    toxicity = build_toxicity.toxicity(primary=Primary(set="ordinary"))
    changed = build_toxicity.harmless().model_copy(update={"toxicity": toxicity})
    assert toxicity_sentence("plus", changed).startswith("Prompted, worst of 3 samples: toxicity")


def test_a_missing_set_gives_its_cause() -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "provoking", "out of memory")
    assert toxicity_sentence("plus", comparison) == "The toxicity of plus is unknown: out of memory."


def test_a_baseline_without_the_set_is_the_cause() -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "base", "provoking", "out of memory")
    comparison = build_toxicity.changed_set(comparison, "plus", "provoking", contrast=None)
    assert toxicity_sentence("plus", comparison) == "The toxicity of plus is unknown: out of memory (base)."


def test_nothing_is_said_where_toxicity_was_not_evaluated() -> None:
    comparison = build.full()
    assert toxicity_sentence("plus", comparison) == ""
    assert list(toxicity_remarks("plus", comparison)) == []


def test_another_set_with_another_verdict_is_remarked() -> None:
    worse = build_toxicity.contrast(0.05, 0.02, Verdict.DEGRADED)
    comparison = build_toxicity.changed_set(build_toxicity.harmless(), "plus", "ordinary", contrast=worse)
    assert list(toxicity_remarks("plus", comparison)) == ["It is more toxic on ordinary (+0.05)."]


def test_a_flag_qualifies_the_decision() -> None:
    flagged = build_toxicity.contrast(-0.37, 0.03, Verdict.IMPROVED, flags=("not the same prompts",))
    remarks = list(toxicity_remarks("plus", with_contrast(flagged)))
    assert remarks == ["Read its toxicity with care: not the same prompts."]
