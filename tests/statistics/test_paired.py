import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.paired import paired_difference


def test_standard_error_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(5)
    before, after = rng.random(80), rng.random(80)
    found = paired_difference(after - before, Design.of(np.zeros(80)))
    test = stats.ttest_rel(after, before)
    spread = found.up + found.down - found.value**2
    assert found.value / np.sqrt(found.effect * spread / (found.items - 1)) == pytest.approx(test.statistic)
    assert found.df == test.df


def test_interval_is_close_to_students_where_much_differs():
    rng = np.random.default_rng(6)
    before, after = rng.random(3000), rng.random(3000)
    low, high = paired_difference(after - before, Design.of(np.zeros(3000))).interval()
    expected = stats.ttest_rel(after, before).confidence_interval()
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=2e-4)


def test_stratified_interval_is_narrower_than_the_plain_one_where_strata_differ():
    values = np.concatenate([np.resize([1.0, 1, 0, 1], 200), np.resize([-1.0, -1, 0, -1], 200)])
    plain = paired_difference(values, Design.of(np.zeros(400))).interval()
    stratified = paired_difference(values, Design.of(np.repeat([0, 1], 200))).interval()
    assert stratified[1] - stratified[0] < 0.7 * (plain[1] - plain[0])


@pytest.mark.parametrize("n", [2, 5, 50, 1000])
def test_no_discordant_pair_is_not_certainty(n):
    low, high = paired_difference(np.zeros(n), Design.of(np.zeros(n))).interval()
    assert low < 0 < high
    assert high > 3 / (n + 10)


def test_one_item_excludes_nothing():
    assert paired_difference([1.0], Design.of([0])).interval() == (-1, 1)


def test_one_cluster_excludes_nothing():
    assert paired_difference([1.0, 0.0, 1.0], Design.of(np.zeros(3), np.zeros(3))).interval() == (-1, 1)


def test_strata_of_one_item_each_do_not_make_the_difference_certain():
    low, high = paired_difference([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], Design.of(range(6))).interval()
    assert high - low > 0.5


def test_strata_without_inner_variance_do_not_make_the_difference_certain():
    low, high = paired_difference([1.0, 1.0, 0.0, 0.0], Design.of([0, 0, 1, 1])).interval()
    assert high - low > 0.5


def test_many_items_in_strata_without_inner_variance_are_known_to_about_one_item():
    values = np.repeat([1.0, 0.0], 1000)
    low, high = paired_difference(values, Design.of(np.repeat([0, 1], 1000))).interval()
    assert low < 0.5 < high
    assert 1 / 2000 < high - low < 4 / 2000


def test_stricter_level_is_a_wider_interval():
    found = paired_difference(np.resize([1.0, 0, 0, -1], 60), Design.of(np.zeros(60)))
    assert found.interval(0.005)[0] < found.interval(0.05)[0]


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_swapping_the_models_flips_the_sign(values, size):
    x = np.array(values)
    design = Design.of(np.arange(x.size) % 2, np.arange(x.size) // size)
    found, swapped = paired_difference(x, design), paired_difference(-x, design)
    assert swapped.value == pytest.approx(-float(found.value))
    low, high = found.interval()
    assert swapped.interval() == (pytest.approx(-float(high)), pytest.approx(-float(low)))
    assert low <= found.value <= high


def test_rare_losses_of_whole_passages_are_not_overlooked():
    rng = np.random.default_rng(9)
    passage = np.arange(1000) // 16
    own, common = rng.random((1000, 1000)), rng.random((1000, passage[-1] + 1))[:, passage]
    values = -(np.where(rng.random(own.shape) < np.sqrt(0.5), common, own) < 0.02).astype(float)
    low, high = paired_difference(values, Design.of(np.zeros(1000), passage)).interval()
    assert np.mean((low <= -0.02) & (high >= -0.02)) > 0.94
