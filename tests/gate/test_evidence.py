"""What the axes have to say, from records made by hand."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from mplus_eval.gate.evidence import Evidence, Scope, items_link, or_absent, reason, shown
from mplus_eval.gate.limits import Against, judge
from mplus_eval.gate.measures import LIMITS, MEASURES, SCOPES
from mplus_eval.gate.policy import Rule
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Sanity
from mplus_eval.records.verdict import Verdict
from tests.gate import build
from tests.reports import build as reports
from tests.reports import build_conversation as talk

ALL = Scope()


@pytest.fixture(scope="module")
def run() -> Comparison:
    return build.three_models()


def found(run: Comparison, measure: str, model: str = "kept", scope: Scope = ALL) -> list[Evidence]:
    return list(MEASURES[measure].find(run, model, scope))


def test_the_suite_is_told_with_minus_for_a_loss(run: Comparison) -> None:
    (suite,) = found(run, "suite", "forgetful")
    assert suite.difference == -0.2
    assert suite.difference_ci == pytest.approx((-0.22, -0.18))
    assert (suite.verdict, suite.n_items, suite.link) == (
        Verdict.DEGRADED,
        2000,
        "#items?task=facts&model=forgetful&show=lost",
    )


def test_the_suite_links_the_items_of_the_task_that_lost_most() -> None:
    """Of sft's changes in points, −6.3 on drop is the largest loss; chosen has no result there, and bbh is next."""
    comparison = reports.full()
    (sft,), (chosen,) = (found(comparison, "suite", name) for name in ("sft", "chosen"))
    assert sft.link == "#items?task=drop&model=sft&show=lost"
    assert chosen.link == "#items?task=bbh&model=chosen&show=lost"


def test_a_withheld_suite_is_absent_with_its_reason() -> None:
    (suite,) = found(reports.full(), "suite", "chosen")
    assert suite.absent == "drop failed; it is given over all 11 tasks or not at all"


def test_a_task_links_the_items_that_were_lost(run: Comparison) -> None:
    facts, sums = found(run, "task", "forgetful")
    assert (facts.place, facts.difference, facts.verdict) == ("task facts", -0.25, Verdict.DEGRADED)
    assert sums.link == "#items?task=sums&model=forgetful&show=lost"


def test_a_task_of_which_the_baseline_failed_says_so() -> None:
    comparison = reports.full()
    (cell,) = comparison.missing
    of_baseline = comparison.model_copy(update={"missing": (cell.model_copy(update={"model": "base"}),)})
    absent = [each.absent for each in found(of_baseline, "task", "chosen", Scope(tasks=("drop",)))]
    assert absent == ["out of memory, also with one item at a time (base)"]


def test_subjects_are_those_of_the_named_tasks(run: Comparison) -> None:
    assert [each.place for each in found(run, "subject")] == ["subject anatomy", "subject law"]
    (law,) = found(run, "subject", "forgetful", Scope(tasks=("facts",), subjects=("l*",)))
    assert (law.difference, law.difference_ci, law.n_items) == (-0.25, (-0.35, -0.15), 100)
    (none,) = found(run, "subject", scope=Scope(tasks=("sums",)))
    assert none.absent == "no subject is stored"


def test_failed_items_are_counted_task_by_task() -> None:
    comparison = reports.full()
    (gsm8k,) = found(comparison, "failed_items", "base", Scope(tasks=("gsm8k",)))
    assert (gsm8k.count, gsm8k.n_items, gsm8k.value) == (3, 1003, pytest.approx(3 / 1003))
    assert gsm8k.link == "#items?task=gsm8k&model=base&show=failed"


def test_toxicity_is_the_primary_set_unless_others_are_named(run: Comparison) -> None:
    (primary,) = found(run, "toxicity")
    assert (primary.place, primary.verdict, primary.value) == ("set provoking", Verdict.IMPROVED, 0.5)
    assert primary.unit.gain(primary.difference or 0.0) == 0.3
    assert [each.place for each in found(run, "toxicity", scope=Scope(sets=("*",)))] == ["set provoking", "set talk"]
    (named,) = found(run, "toxicity", scope=Scope(sets=("primary",)))
    assert named.place == "set provoking"


def test_toxicity_has_the_figures_of_as_many_samples_as_the_verdict(run: Comparison) -> None:
    assert run.toxicity is not None
    few = build.on_set(0.9, build.against_base(0.0, 0.01, Verdict.PRESERVED))
    few = few.model_copy(
        update={"fewer": {"5": few.model_copy(update={"expected_maximum_toxicity": build.measured(0.4)})}}
    )
    toxicity = build.toxicity(kept=build.harmless("kept", provoking=few))
    toxicity = toxicity.model_copy(update={"primary": toxicity.primary.model_copy(update={"maximum_of": 5})})
    (primary,) = found(run.model_copy(update={"toxicity": toxicity}), "toxicity")
    assert (primary.value, primary.what) == (0.4, "expected maximum toxicity of 5 of 10 samples")
    (all_samples,) = found(run.model_copy(update={"toxicity": toxicity}), "expected_maximum_toxicity")
    assert all_samples.value == 0.9


@pytest.mark.parametrize(("measure", "value"), [("toxicity_probability", 0.25), ("toxic_fraction", 0.125)])
def test_other_measures_of_toxicity(run: Comparison, measure: str, value: float) -> None:
    (evidence,) = found(run, measure)
    assert (evidence.value, evidence.ci) == (value, pytest.approx((value - 0.02, value + 0.02)))


def test_a_mute_model_passes_no_limit_of_toxicity(run: Comparison) -> None:
    mute = build.on_set(
        0.0, build.against_base(-0.8, 0.01, Verdict.NOT_COMPARABLE, reasons=("answers nothing: 98 % are empty",))
    )
    silent = run.model_copy(update={"toxicity": build.toxicity(kept=build.harmless("kept", provoking=mute))})
    for measure in ("toxicity", "expected_maximum_toxicity", "toxicity_probability", "toxic_fraction"):
        (evidence,) = found(silent, measure)
        finding = judge(evidence, Rule(measure=measure, at_most=0.5), Against("base", 0.05, 1))
        assert (str(finding.outcome), finding.words) == (
            "missing",
            "no evidence: not comparable (answers nothing: 98 % are empty)",
        )


def test_a_missing_set_says_why(run: Comparison) -> None:
    missing = build.harmless("kept").model_copy(update={"sets": {}, "missing": {"provoking": "no classifier"}})
    (primary,) = found(run.model_copy(update={"toxicity": build.toxicity(kept=missing)}), "toxicity")
    assert primary.absent == "no classifier"
    (stranger,) = found(run.model_copy(update={"toxicity": build.toxicity()}), "toxicity")
    assert stranger.absent == "no result is stored"


def test_refusals_have_their_share_and_their_fall(run: Comparison) -> None:
    (unsafe,) = found(run, "refusals")
    assert (unsafe.value, unsafe.difference, unsafe.n_items) == (0.9, 0.0, 60)
    (safe,) = found(run, "over_refusals")
    assert (safe.value, safe.unit.higher_is_better) == (0.05, False)


def test_a_run_without_differences_in_refusals_still_has_their_share(run: Comparison) -> None:
    model = build.harmless("kept").model_copy(update={"refusals": {"requests": build.refusal_pair(0.2)}})
    (unsafe,) = found(run.model_copy(update={"toxicity": build.toxicity(kept=model)}), "refusals")
    assert (unsafe.value, unsafe.difference, unsafe.difference_ci) == (0.2, None, None)


def test_shares_of_texts_have_the_interval_that_is_known(run: Comparison) -> None:
    sanity = Sanity(n_texts=800, empty_rate=0.2, truncated_rate=None, intervals={"empty_rate": (0.15, None)})
    model = build.harmless("kept", provoking=build.on_set(0.5, sanity=sanity, n_failed=2))
    changed = run.model_copy(update={"toxicity": build.toxicity(kept=model)})
    empty, other = found(changed, "empty_texts")
    assert (empty.value, empty.ci, other.ci) == (0.2, (0.15, 1.0), None)
    (cut,) = found(changed, "truncated_texts", scope=Scope(sets=("provoking",)))
    assert cut.absent == "no value is stored"
    failed, _ = found(changed, "failed_prompts")
    assert (failed.count, failed.n_items, failed.value) == (2, 80, 0.025)


def test_a_win_rate_is_held_against_one_half(run: Comparison) -> None:
    (wins,) = found(run, "conversation")
    assert (wins.value, wins.ci) == (0.55, pytest.approx((0.50, 0.60)))
    assert (wins.difference, wins.difference_ci) == (pytest.approx(0.05), pytest.approx((0.0, 0.10)))
    assert (wins.n_items, wins.even, wins.link) == (477, "one half", "#conversation")


def test_answers_are_counted(run: Comparison) -> None:
    text = talk.text(n_answers=95, n_failed=5, empty_rate=0.04, truncation_rate=0.3)
    model = build.talking(Verdict.IMPROVED, text=text)
    changed = run.model_copy(update={"conversation": build.conversation(kept=model)})
    values = {name: found(changed, name)[0].value for name in ("failed_answers", "empty_answers", "truncated_answers")}
    assert values == {"failed_answers": 0.05, "empty_answers": 0.04, "truncated_answers": 0.3}
    (pairs,) = found(changed, "unjudged_pairs")
    assert (pairs.count, pairs.n_items) == (3, 480)


def test_a_model_that_nobody_judged_is_absent(run: Comparison) -> None:
    unjudged = build.conversation(few=build.talking(Verdict.IMPROVED).model_copy(update={"verdict": None})).model_copy(
        update={"missing": {"kept": "its answers failed"}}
    )
    changed = run.model_copy(update={"conversation": unjudged})
    assert found(changed, "conversation")[0].absent == "its answers failed"
    assert found(changed, "conversation", "few")[0].absent == "nothing was judged"


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_finds_something_and_says_when_there_is_nothing(run: Comparison, measure: str) -> None:
    assert MEASURES[measure].axis in ("capability", "harmlessness", "conversation")
    assert all(not evidence.absent for evidence in found(run, measure))
    nothing = Comparison(baseline="base", suite="none", models=run.models, tasks={}, summary={})
    (absent,) = found(nothing, measure)
    assert absent.absent == f"{MEASURES[measure].axis} was not evaluated"
    assert set(MEASURES[measure].limits) <= set(LIMITS)
    assert set(MEASURES[measure].scopes) <= set(SCOPES)


def test_a_link_holds_any_name() -> None:
    name = 'a b&model=c#<"\u202e\ud800'
    fragment = items_link("plus", "lost", task=name)
    assert fragment.isascii()
    assert " " not in fragment
    assert parse_qs(fragment.removeprefix("#items?")) == {
        "task": ['a b&model=c#<"\u202e?'],
        "model": ["plus"],
        "show": ["lost"],
    }


def test_names_and_reasons_are_one_short_line() -> None:
    for text in (shown("x\n\x1b[31m" * 100_000), reason("y\n\u202e" * 100_000)):
        assert text.isprintable()
        assert len(text) < 250


def test_nothing_found_is_one_piece_that_says_so() -> None:
    assert list(or_absent(iter(()), "capability", "why")) == [Evidence("capability", "", absent="why")]
