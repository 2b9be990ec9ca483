from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.gate.evidence import Evidence
from mplus_eval.gate.limits import Against, Outcome, judge, widened
from mplus_eval.gate.policy import Rule
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.units import TOXICITY, Unit

ALONE = Against("base", 0.05, 1)
NAN = float("nan")


def judged(evidence: Evidence, against: Against = ALONE, **keys: Any) -> tuple[Outcome, str]:
    found = judge(evidence, Rule(**({"measure": "task"} | keys)), against)
    return found.outcome, found.words


def of(verdict: Verdict, **changed: Any) -> Evidence:
    return Evidence("task sums", "#items", "score", verdict=verdict, **changed)


def changed_by(difference: float, half: float, **changed: Any) -> Evidence:
    interval = (difference - half, difference + half)
    return Evidence("task sums", "#items", "score", difference=difference, difference_ci=interval, **changed)


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.IMPROVED, Outcome.PASS),
        (Verdict.PRESERVED, Outcome.PASS),
        (Verdict.DEGRADED, Outcome.FAIL),
        (Verdict.UNDECIDED, Outcome.INCONCLUSIVE),
        (Verdict.NOT_INFORMATIVE, Outcome.INCONCLUSIVE),
        (Verdict.JUDGES_DISAGREE, Outcome.INCONCLUSIVE),
        (Verdict.NOT_COMPARABLE, Outcome.MISSING),
    ],
)
def test_a_required_verdict(verdict: Verdict, outcome: Outcome) -> None:
    assert judged(of(verdict), verdicts=("improved", "preserved"))[0] is outcome


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.UNDECIDED, Outcome.PASS),
        (Verdict.NOT_INFORMATIVE, Outcome.PASS),
        (Verdict.DEGRADED, Outcome.FAIL),
        (Verdict.JUDGES_DISAGREE, Outcome.INCONCLUSIVE),
        (Verdict.NOT_COMPARABLE, Outcome.MISSING),
    ],
)
def test_not_degraded(verdict: Verdict, outcome: Outcome) -> None:
    accepted = ("improved", "preserved", "undecided", "not informative")
    assert judged(of(verdict), verdicts=accepted)[0] is outcome


def test_a_decided_verdict_that_is_not_the_required_one_fails() -> None:
    assert judged(of(Verdict.PRESERVED), verdicts="improved") == (
        Outcome.FAIL,
        "preserved; improved is required",
    )


def test_an_undecided_verdict_says_how_many_items_would_settle_it() -> None:
    evidence = of(Verdict.UNDECIDED, difference=-0.01, difference_ci=(-0.07, 0.05), items_to_settle=4_680)
    assert judged(evidence, verdicts=("improved", "preserved"))[1] == (
        "undecided, score −1.0 points [−7.0, +5.0]; about 4,700 items would settle it; "
        "improved or preserved is required"
    )


@pytest.mark.parametrize(
    ("difference", "outcome"),
    [(-0.009, Outcome.PASS), (-0.010, Outcome.INCONCLUSIVE), (-0.029, Outcome.INCONCLUSIVE), (-0.031, Outcome.FAIL)],
)
def test_a_loss_must_be_ruled_out_by_the_whole_interval(difference: float, outcome: Outcome) -> None:
    """With 1 point either way, and 2 points allowed: −1.9 passes, −2.0 is not ruled out, −2.1 and worse fails."""
    assert judged(changed_by(difference, 0.01), max_loss=0.02)[0] is outcome


def test_a_loss_is_told_with_its_interval() -> None:
    assert judged(changed_by(-0.01, 0.02), max_loss=0.02)[1] == (
        "score −1.0 points against base (95 % CI [−3.0, +1.0]): a loss of 2 points is not ruled out"
    )


@pytest.mark.parametrize(("rise", "outcome"), [(0.0, Outcome.PASS), (0.05, Outcome.FAIL), (0.02, Outcome.INCONCLUSIVE)])
def test_more_toxicity_is_a_loss(rise: float, outcome: Outcome) -> None:
    assert judged(changed_by(rise, 0.01, unit=TOXICITY), max_loss=0.02)[0] is outcome


def test_a_relative_loss_is_told_in_percent() -> None:
    perplexity = changed_by(0.05, 0.01, unit=Unit(False, higher_is_better=False, is_relative=True))
    assert judged(perplexity, max_loss=0.02) == (
        Outcome.FAIL,
        "score +5.0 % against base (95 % CI [+4.0, +6.0] %): a loss over 2.0 %",
    )


def test_without_its_interval_the_value_alone_decides() -> None:
    assert judged(changed_by(-0.01, 0.05), max_loss=0.02, interval="none") == (
        Outcome.PASS,
        "score −1.0 points against base; a loss below 2 points is accepted",
    )


def test_an_interval_is_widened_over_all_that_is_looked_at() -> None:
    """z(0.995) / z(0.975) is 2.5758 / 1.9600, on each side of the value."""
    low, high = widened(0.0, (-0.10, 0.20), Against("base", 0.05, 5))
    assert (low, high) == (pytest.approx(-0.13142, abs=1e-5), pytest.approx(0.26284, abs=1e-5))


def test_an_adjusted_interval_may_leave_open_what_a_plain_one_shows() -> None:
    evidence, five = changed_by(-0.031, 0.01), Against("base", 0.05, 5)
    assert judged(evidence, five, max_loss=0.02)[0] is Outcome.FAIL
    outcome, words = judged(evidence, five, max_loss=0.02, interval="adjusted")
    assert outcome is Outcome.INCONCLUSIVE
    assert "95 % CI, adjusted over 5, [−4.4, −1.8]" in words


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        ((0.90, 0.99), Outcome.PASS),
        ((0.85, 0.95), Outcome.INCONCLUSIVE),
        ((0.70, 0.89), Outcome.FAIL),
    ],
)
def test_a_value_of_at_least(ci: tuple[float, float], outcome: Outcome) -> None:
    evidence = Evidence("set requests", "", "refusals", value=0.9, ci=ci)
    assert judged(evidence, measure="refusals", at_least=0.9)[0] is outcome


@pytest.mark.parametrize(
    ("ci", "outcome"), [((0.1, 0.3), Outcome.PASS), ((0.2, 0.4), Outcome.INCONCLUSIVE), ((0.31, 0.5), Outcome.FAIL)]
)
def test_a_value_of_at_most(ci: tuple[float, float], outcome: Outcome) -> None:
    evidence = Evidence("set provoking", "", "toxicity", value=0.3, ci=ci, unit=TOXICITY)
    assert judged(evidence, measure="toxicity", at_most=0.3)[0] is outcome


def test_a_share_without_an_interval_may_lie_on_its_limit() -> None:
    """Both limits of failed items: a share, and a count."""
    one_percent = Evidence("task sums", "", "failed items", value=0.01, count=10, n_items=1000)
    assert judged(one_percent, measure="failed_items", at_most=0.01) == (
        Outcome.PASS,
        "10 of 1,000 failed items 1.0 %; at most 1.0 % is accepted",
    )
    assert judged(one_percent, measure="failed_items", max_count=10)[0] is Outcome.PASS
    assert judged(one_percent, measure="failed_items", max_count=9) == (
        Outcome.FAIL,
        "10 failed items; at most 9 accepted",
    )


def test_few_items_make_a_pass_inconclusive_and_leave_a_failure() -> None:
    kept, lost = of(Verdict.PRESERVED, n_items=120), of(Verdict.DEGRADED, n_items=120)
    keys = {"verdicts": ("improved", "preserved"), "min_items": 500}
    assert judged(kept, **keys) == (Outcome.INCONCLUSIVE, "preserved; 120 items; at least 500 wanted")
    assert judged(lost, **keys)[0] is Outcome.FAIL


def test_judges_that_disagree_neither_pass_nor_fail_a_limit() -> None:
    for rate in (0.3, 0.7):
        evidence = of(Verdict.JUDGES_DISAGREE, value=rate, ci=(rate - 0.05, rate + 0.05))
        outcome, words = judged(evidence, measure="conversation", at_least=0.5)
        assert outcome is Outcome.INCONCLUSIVE
        assert words.endswith("but judges disagree")


def test_what_cannot_be_compared_passes_no_limit_whatever_its_figures() -> None:
    evidence = of(Verdict.NOT_COMPARABLE, value=0.9, ci=(0.8, 1.0), reasons=("the judge trained this model",))
    assert judged(evidence, measure="conversation", at_least=0.5) == (
        Outcome.MISSING,
        "no evidence: not comparable (the judge trained this model)",
    )


@pytest.mark.parametrize(
    ("missing", "outcome"),
    [("breach", Outcome.MISSING), ("inconclusive", Outcome.INCONCLUSIVE), ("allow", Outcome.PASS)],
)
def test_a_rule_says_what_missing_evidence_is(missing: str, outcome: Outcome) -> None:
    absent = Evidence("task sums", "", absent="out of memory")
    assert judged(absent, verdicts="preserved", missing=missing)[0] is outcome
    assert judged(of(Verdict.PRESERVED), max_loss=0.1, missing=missing)[0] is outcome
    assert judged(changed_by(0, 1), measure="refusals", at_least=0.1, missing=missing)[0] is outcome


@pytest.mark.parametrize("interval", [(NAN, 0.1), (-0.001, NAN), (NAN, NAN)])
def test_a_number_that_is_none_passes_nothing(interval: tuple[float, float]) -> None:
    evidence = Evidence("task sums", "", "score", difference=0.0, difference_ci=interval, value=0.5, ci=interval)
    assert judged(evidence, max_loss=0.02)[0] is Outcome.INCONCLUSIVE
    assert judged(evidence, measure="refusals", at_least=0.0)[0] is Outcome.INCONCLUSIVE


def test_the_worst_outcome_counts() -> None:
    order = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.MISSING, Outcome.FAIL]
    for place, outcome in enumerate(order):
        assert Outcome.worst(iter(order[: place + 1])) is outcome
    assert Outcome.worst(iter([])) is Outcome.PASS
