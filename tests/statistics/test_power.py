import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower, TTestPower, normal_sample_size_one_tail

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.hypothesis_tests import mcnemar, sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.planned_effect import PlannedEffect
from mplus_eval.statistics.power import (
    connor,
    detectable,
    items_for_degraded,
    items_for_preserved,
    items_to_settle,
    nam,
    power_for_degraded,
    power_for_preserved,
    smallest_detectable,
    smallest_provable,
)
from mplus_eval.statistics.score_interval import score_statistic

AMONG_11 = 0.05 / 11


def sample(n: int = 1000):
    values = np.zeros(n)
    values[: n // 10] = np.resize([1.0, -1.0], n // 10)
    return paired_difference(values, Design.of(np.zeros(n)))


def test_connor_is_statsmodels_normal_sample_size():
    null, alternative = np.sqrt(0.1), np.sqrt(0.1 - 0.02**2)
    expected = normal_sample_size_one_tail(0.02, 0.8, 0.025, std_null=null, std_alternative=alternative)
    assert connor(0.08, 0.02, 0.05) == pytest.approx(expected)


def test_nam_is_statsmodels_normal_power():
    expected = NormalIndPower().solve_power(0.02 / np.sqrt(0.1), alpha=0.025, power=0.8, ratio=0, alternative="larger")
    assert nam(0.1, 0.02, 0.05) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("discordance", "level", "pairs"),
    [(0.05, 0.05, 981), (0.05, AMONG_11, 1692), (0.1, 0.05, 1962), (0.2, AMONG_11, 6768)],
)
def test_nam_by_hand(discordance, level, pairs):
    # (1.960 + 0.842)² · 0.05/0.02² = 981; among eleven tests z is 2.838.
    assert nam(discordance, 0.02, level) == pytest.approx(pairs, abs=1)


def test_without_any_difference_non_inferiority_needs_the_least():
    # 3.84 · 0.98/0.02 = 188, and a little more by Student's quantile.
    assert items_for_preserved(0.0, 0.02, 0.05) == 191


@pytest.mark.parametrize("discordance", [0.02, 0.05, 0.08, 0.1, 0.2])
@pytest.mark.parametrize("level", [0.05, AMONG_11])
def test_the_items_asked_for_have_the_power_and_the_formula_nearly(discordance, level):
    for_degraded = items_for_degraded(discordance, 0.02, level)
    assert power_for_degraded(for_degraded, discordance, 0.02, level) >= 0.8
    assert power_for_degraded(for_degraded * 0.97, discordance, 0.02, level) < 0.8
    assert connor(discordance, 0.02, level) == pytest.approx(for_degraded, rel=0.08)
    for_preserved = items_for_preserved(discordance, 0.02, level)
    assert power_for_preserved(for_preserved, discordance, 0.02, level) >= 0.8
    assert power_for_preserved(for_preserved * 0.9, discordance, 0.02, level) < 0.8
    # The formula takes the variance at no difference for the one at the margin, which is larger where little differs.
    assert nam(discordance, 0.02, level) < for_preserved


def test_huge_needs_are_those_of_the_formula():
    need = items_for_degraded(0.15, 0.001, AMONG_11)
    assert need == int(np.ceil(connor(0.15, 0.001, AMONG_11)))
    assert power_for_degraded(need, 0.15, 0.001, AMONG_11) == pytest.approx(0.8, abs=0.002)


def test_the_design_effect_multiplies_the_items():
    assert items_for_degraded(0.08, 0.02, 0.05, effect=2.5) == int(np.ceil(2.5 * items_for_degraded(0.08, 0.02, 0.05)))


def test_detectable_among_eleven_counts_what_the_loss_adds():
    # Enumerated by an independent program: 7.5 points where nothing else differs, 15.0 at a discordance of 10 %.
    assert detectable(150, 0.0, AMONG_11) == pytest.approx(0.075, abs=0.0005)
    assert detectable(150, 0.1, AMONG_11) == pytest.approx(0.150, abs=0.0005)


def test_detectable_is_found_in_four_samples_of_five():
    loss = detectable(400, 0.06, 0.05)
    generator = np.random.default_rng(0)
    lost, gained, _ = generator.multinomial(400, [0.03 + loss, 0.03, 0.94 - loss], size=20_000).T
    assert np.mean((mcnemar(lost, gained) < 0.05) & (lost > gained)) == pytest.approx(0.8, abs=0.01)


def test_detectable_turns_the_number_of_items_round():
    loss = detectable(3000, 0.08, 0.05)
    assert items_for_degraded(0.08, loss, 0.05) == pytest.approx(3000, rel=0.01)


def test_nothing_is_detectable_where_even_the_whole_shows_nothing():
    assert detectable(5, 0.0, 0.05) is None


def test_a_loss_of_half_the_margin_takes_most():
    needs = {loss: items_to_settle(0.03, 0.03 + loss, 300, 0.02, 0.05, 0.05) for loss in (0.0, 0.01, 0.04)}
    assert needs[0.0] == pytest.approx(items_for_preserved(0.06, 0.02, 0.05), rel=0.05)
    assert needs[0.04] == items_for_degraded(0.06, 0.04, 0.05)
    assert needs[0.01] > 1.5 * max(needs[0.0], needs[0.04])


@pytest.mark.parametrize(("up", "down"), [(0.03, 0.03), (0.03, 0.04), (0.03, 0.06), (0.04, 0.03)])
def test_what_would_settle_does_so_in_four_samples_of_five(up, down):
    n = items_to_settle(up, down, 200, 0.02, AMONG_11, AMONG_11)
    lost, gained, _ = np.random.default_rng(0).multinomial(n, [down, up, 1 - up - down], size=20_000).T
    kept = score_statistic(-0.02, gained / n, lost / n, n) > norm.isf(AMONG_11 / 2)
    assert np.mean(kept | (mcnemar(lost, gained) < AMONG_11)) == pytest.approx(0.8, abs=0.012)


def test_between_both_verdicts_one_of_them_alone_counts():
    # 2,600 items with these shares lie just inside both: z is 1.93 on either side.
    alone = items_for_preserved(0.06, 0.02, 0.05, 0.01)
    assert items_to_settle(0.03, 0.04, 2600, 0.02, 0.05, 0.05) == min(alone, items_for_degraded(0.06, 0.01, 0.05))


def test_what_would_settle_is_more_than_was_asked():
    assert items_to_settle(0.0, 0.0, 150, 0.02, 0.05, 0.05) == 191
    assert items_to_settle(0.0, 0.0, 500, 0.02, 0.05, 0.05) is None


def test_smallest_detectable_is_of_the_sample_and_the_family():
    # One item in ten differs, so that nine tenths of a loss add to them.
    expected = detectable(1000, 0.1, AMONG_11, added=0.9)
    assert smallest_detectable(sample(), 0.05, 11) == pytest.approx(expected, rel=0.01)


def test_scores_that_all_differ_are_moved_by_a_loss():
    # Normal changes of standard deviation 0.02: (1.96 + 0.84) · 0.02/√300 and up to a quarter more, since unequal sizes
    # are taken for fewer equal ones.
    values = 0.02 * np.random.default_rng(0).standard_normal(300)
    by_hand = TTestPower().solve_power(nobs=300, alpha=0.05, power=0.8) * np.std(values)
    found = smallest_detectable(paired_difference(values, Design.of(np.zeros(300))), 0.05)
    assert by_hand < found < 1.25 * by_hand


def test_smallest_detectable_is_not_0_where_nothing_differed():
    # Six lost items are the fewest that show anything; of 100 that many are lost in 80 % of samples at 7.8 points.
    found = paired_difference(np.zeros(100), Design.of(np.zeros(100)))
    assert smallest_detectable(found, 0.05) == pytest.approx(0.078, abs=0.001)


def test_clusters_make_it_larger_as_the_interval_asks():
    values = np.zeros(480)
    alone = smallest_detectable(paired_difference(values, Design.of(np.zeros(480))), 0.05)
    clustered = paired_difference(values, Design.of(np.zeros(480), np.repeat(np.arange(30), 16)))
    effect = float(clustered.items / clustered.effective_size)
    assert effect > 1
    assert smallest_detectable(clustered, 0.05) == pytest.approx(detectable(480, 0.0, 0.05, effect=effect))
    assert smallest_detectable(clustered, 0.05) > alone


def test_on_passages_it_is_what_test_and_interval_find_together():
    design, generator = Design.of(np.zeros(480), np.repeat(np.arange(30), 16)), np.random.default_rng(0)
    nothing = paired_difference(np.zeros(480), design)
    loss = smallest_detectable(nothing, 0.05, effect=PlannedEffect.of(nothing, design))
    values = -(generator.random((300, 480)) < loss).astype(float)
    below = paired_difference(values, design).interval(0.05)[1] < 0
    p_values = [sign_flip(totals, generator).p_value for totals in design.totals(values)]
    assert np.mean(below & (np.array(p_values) < 0.05)) == pytest.approx(0.8, abs=0.12)


def test_the_sign_flip_test_of_single_items_is_the_one_that_is_counted():
    generator = np.random.default_rng(1)
    for lost, gained in ((9, 2), (14, 6), (30, 12)):
        values = np.r_[-np.ones(lost), np.ones(gained), np.zeros(100)]
        assert sign_flip(values, generator).p_value == pytest.approx(float(mcnemar(lost, gained)))


def test_provable_margin_is_proven_and_no_smaller_one_is():
    margin = smallest_provable(sample(), 0.05, 11)
    assert non_inferiority(sample(), margin * 1.001) * 11 < 0.025 < non_inferiority(sample(), margin * 0.999) * 11


def test_provable_margin_of_a_clear_gain_is_0():
    values = np.resize([1.0, 0.0], 100)
    assert smallest_provable(paired_difference(values, Design.of(np.zeros(100))), 0.05) == 0.0


def test_nothing_is_known_from_one_item():
    found = paired_difference([0.0], Design.of([0]))
    assert smallest_detectable(found, 0.05) is None
    assert smallest_provable(found, 0.05) is None


def test_rounding_in_the_design_effect_costs_no_pair():
    exact = power_for_degraded(300, 0.05, 0.05, 0.05, effect=1.5)
    assert power_for_degraded(300, 0.05, 0.05, 0.05, effect=np.nextafter(1.5, 2)) == exact
