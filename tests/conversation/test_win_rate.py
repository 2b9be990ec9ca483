from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from mplus_eval.conversation.win_rate import win_rate, win_test
from mplus_eval.records.conversation import WinRecord
from mplus_eval.records.verdict import Verdict
from tests.conversation.tables import NAN, table


def verdict_of(preferences: list[float], dialogues: list[int] | None = None) -> Verdict:
    found = win_test(table(preferences, dialogues=dialogues), np.random.default_rng(0))
    assert found is not None
    return found.verdict


def test_ties_count_half_and_what_is_unjudged_not_at_all() -> None:
    found = win_rate(table([1.0, 1.0, 0.5, 0.0, NAN]))
    assert (found.value, found.wins, found.ties, found.losses) == (0.625, 2, 1, 1)
    assert (found.n_judged, found.n_unjudged, found.n_dialogues) == (4, 1, 4)


def test_nothing_judged_has_no_value() -> None:
    nothing = WinRecord(value=None, ci=None, wins=0, ties=0, losses=0, n_judged=0, n_unjudged=2, n_dialogues=0)
    assert win_rate(table([NAN, NAN])) == nothing
    assert win_test(table([NAN]), np.random.default_rng(0)) is None


def test_without_ties_the_interval_is_wilsons() -> None:
    ci = win_rate(table([1.0] * 420 + [0.0] * 180)).ci
    assert ci == pytest.approx(proportion_confint(420, 600, method="wilson"), abs=1e-3)


def test_winning_all_is_not_certainty() -> None:
    ci = win_rate(table([1.0] * 20)).ci
    assert ci is not None
    # Wilson's end for 20 of 20 is 0.839 with the normal quantile; Student's makes it a little lower.
    assert ci[0] == pytest.approx(0.82, abs=0.02)
    assert ci[1] == 1.0


def test_nothing_but_ties_is_not_certainty() -> None:
    ci = win_rate(table([0.5] * 20)).ci
    assert ci is not None
    assert ci[0] < 0.45
    assert ci[1] > 0.55


def test_ties_tell_more_than_as_many_wins_and_losses() -> None:
    tied, split = win_rate(table([0.5] * 100 + [1.0] * 20)).ci, win_rate(table([1.0, 0.0] * 50 + [1.0] * 20)).ci
    assert tied is not None
    assert split is not None
    assert tied[1] - tied[0] < 0.6 * (split[1] - split[0])


def test_turns_that_stand_or_fall_together_widen_the_interval() -> None:
    verdicts = np.repeat(np.resize([1.0, 0.0, 1.0], 60), 2).tolist()
    alone, together = win_rate(table(verdicts)).ci, win_rate(table(verdicts, dialogues=[i // 2 for i in range(120)])).ci
    assert alone is not None
    assert together is not None
    assert together[1] - together[0] == pytest.approx(2**0.5 * (alone[1] - alone[0]), rel=0.05)


def test_the_p_value_is_the_sign_test_where_dialogues_have_one_turn() -> None:
    found = win_test(table([1.0] * 15 + [0.0] * 5 + [0.5] * 10), np.random.default_rng(0))
    assert found is not None
    assert found.p_value == pytest.approx(binomtest(15, 20).pvalue)


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        ([1.0] * 70 + [0.0] * 30, Verdict.IMPROVED),
        ([1.0] * 30 + [0.0] * 70, Verdict.DEGRADED),
        ([1.0] * 50 + [0.0] * 50, Verdict.UNDECIDED),
        ([1.0, 0.0] * 10 + [0.5] * 3000, Verdict.PRESERVED),
    ],
)
def test_the_verdict_follows_the_rules(preferences: list[float], expected: Verdict) -> None:
    assert verdict_of(preferences) == expected


def test_even_is_not_preserved_while_a_loss_beyond_the_margin_is_possible() -> None:
    assert verdict_of([1.0, 0.0] * 1000) == Verdict.UNDECIDED
    assert verdict_of([1.0, 0.0] * 3000) == Verdict.PRESERVED


def test_non_inferiority_is_shown_exactly_where_the_interval_lies_above_the_margin() -> None:
    for n_wins in range(480, 521, 4):
        rows = table([1.0] * n_wins + [0.0] * (1000 - n_wins))
        found, ci = win_test(rows, np.random.default_rng(0), margin=0.03), win_rate(rows).ci
        assert found is not None
        assert ci is not None
        assert (found.p_non_inferiority < 0.025) == (ci[0] > 0.47)


def test_one_dialogue_says_nothing() -> None:
    assert verdict_of([1.0] * 2, dialogues=[7, 7]) == Verdict.UNDECIDED
    assert win_rate(table([1.0] * 2, dialogues=[7, 7])).ci == (0.0, 1.0)


def test_the_smallest_provable_margin_is_in_the_unit_of_the_win_rate() -> None:
    rows = table([1.0, 0.0] * 50)
    found, ci = win_test(rows, np.random.default_rng(0)), win_rate(rows).ci
    assert found is not None
    assert ci is not None
    assert found.smallest_provable == pytest.approx(0.5 - ci[0])


def test_dialogues_without_an_answer_are_lost_where_a_gain_is_to_be_shown():
    judged = table([1.0] * 40 + [0.0] * 20 + [NAN] * 6)
    silent = judged.assign(words_model=judged["words_model"].where(judged["preference"].notna()))
    both_silent = silent.assign(words_baseline=silent["words_model"])
    found = [win_test(rows, np.random.default_rng(0), margin=0.2) for rows in (judged, silent, both_silent)]
    assert [each.p_value for each in found] == [found[0].p_value] * 3
    assert [each.verdict for each in found] == [Verdict.IMPROVED, Verdict.PRESERVED, Verdict.IMPROVED]
    assert found[1].p_non_inferiority > found[0].p_non_inferiority
