import numpy as np
import pytest
from scipy import stats

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.estimate import average, effective_count, estimate, spread, together
from mplus_eval.statistics.paired import paired_difference


def one_to_one(n: int) -> Design:
    return Design.of(np.zeros(n))


def test_effective_count_of_equal_terms_is_their_number():
    assert effective_count([2, -2, 2, 0]) == 3
    assert effective_count([0, 0]) == 0


def test_effective_count_of_unequal_terms_is_smaller():
    assert effective_count([3, 1]) == pytest.approx(16 / 10)


def test_independent_0_1_pairs_are_worth_themselves_but_for_sparseness():
    values = np.array([1.0] * 5 + [-1.0] * 4 + [0.0] * 91)
    found = estimate(values, one_to_one(100))
    assert found.informative == 9
    assert found.effective_size == pytest.approx(100 / (1 + 0.5 * 9 / 100))


def test_clusters_that_are_all_alike_are_worth_one_item_each():
    values = np.repeat(np.resize([1.0, -1.0, 0.0, 0.0], 400), 4)
    found = estimate(values, Design.of(np.zeros(1600), np.repeat(np.arange(400), 4)))
    assert found.effective_size == pytest.approx(400, rel=0.02)


def test_graded_scores_are_worth_more_than_their_number_of_0_1_items():
    values = np.resize([0.25, -0.25, 0.0, 0.25, -0.25], 500)
    assert estimate(values, one_to_one(500)).effective_size > 1500


def test_where_nothing_varies_clusters_are_feared_to_be_all_alike():
    found = estimate(np.zeros(40), Design.of(np.zeros(40), np.repeat(np.arange(10), 4)))
    # Clusters of four: all alike they are worth 10 items, with a correlation of 0.3 40 / (1 + 0.3 · 3).
    assert found.effective_size == pytest.approx(40 / 1.9)
    feared = estimate(np.zeros(40), Design.of(np.zeros(40), np.repeat(np.arange(10), 4)), icc=1.0)
    assert feared.effective_size == pytest.approx(10)


def test_average_of_one_task_is_that_task():
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.8, 0.1])
    part = paired_difference(values, Design.of(np.repeat([0, 1], 100), np.repeat(np.arange(50), 4)))
    whole = average([part])
    assert whole.value == pytest.approx(part.value)
    assert whole.effective_size == pytest.approx(float(part.effective_size))
    assert whole.df == pytest.approx(float(part.df))


def test_average_gives_every_task_the_same_weight():
    parts = [paired_difference(v, one_to_one(len(v))) for v in (np.array([1.0, 0, 0, 0]), np.array([-1.0, 0] * 50))]
    whole = average(parts)
    assert whole.value == pytest.approx((0.25 - 0.5) / 2)
    # One of four and fifty of a hundred differ: variances of 0.1875/4 and 0.25/100, and a quarter of their sum.
    assert spread(whole.up, whole.down) / whole.items == pytest.approx((0.1875 / 4 + 0.25 / 100) / 4)


def test_an_average_fears_for_a_task_of_passages_in_which_nothing_was_seen_to_differ():
    plain = paired_difference(np.resize([1.0, -1.0, 0, 0, 0, 0, 0, 0, 0, 0], 1000), one_to_one(1000))
    passages = paired_difference(np.zeros(480), Design.of(np.zeros(480), np.repeat(np.arange(30), 16)))
    whole = average([plain, passages])
    # As if half as much differed there as in the other, the parts' mean of 0.2 and 0; A = 1 + 0.3 · 15.
    feared = 0.1 * (1 - 1 / 5.5) * 5.5 / 480
    assert spread(whole.up, whole.down) / whole.items == pytest.approx((0.2 / 1000 + feared) / 4)


def test_an_average_of_equal_samples_of_single_items_is_the_pooled_sample():
    rng = np.random.default_rng(3)
    samples = rng.choice([-1.0, 0.0, 1.0], size=(5, 400), p=[0.05, 0.9, 0.05])
    whole = average([paired_difference(sample, one_to_one(400)) for sample in samples])
    together = paired_difference(samples.ravel(), Design.of(np.repeat(np.arange(5), 400)))
    assert np.array(whole.interval()) == pytest.approx(np.array(together.interval()), abs=2e-4)


def test_the_sizes_of_graded_scores_do_not_hide_how_many_items_differ():
    values = np.random.default_rng(0).normal(0.005, 0.01, 200)
    found = paired_difference(values, one_to_one(200))
    # All items differ, so the observed variance is believed, as a t interval does it.
    expected = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert np.array(found.interval()) == pytest.approx([expected.low, expected.high], abs=2e-4)


def test_average_of_tasks_without_any_difference_is_worth_their_harmonic_number():
    parts = [paired_difference(np.zeros(n), one_to_one(n)) for n in (100, 300)]
    assert average(parts).effective_size == pytest.approx(4 / (1 / 100 + 1 / 300))


def test_average_is_unknown_where_one_task_has_a_single_item():
    parts = [paired_difference(np.zeros(n), one_to_one(n)) for n in (100, 1)]
    assert average(parts).df == 0
    assert average(parts).interval() == (-1, 1)


def test_estimates_together_have_an_axis_more():
    parts = [paired_difference(values, one_to_one(40)) for values in (np.resize([1.0, 0.0, -1.0], 40), np.ones(40))]
    found = together(parts)
    assert type(found) is type(parts[0])
    np.testing.assert_array_equal(found.effect, [part.effect for part in parts])
    np.testing.assert_array_equal(found.value, [part.value for part in parts])
