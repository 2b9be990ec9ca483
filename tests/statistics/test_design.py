import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mplus_eval.statistics.design import Design, satterthwaite


def test_variance_of_items_that_stand_alone_is_that_of_a_mean():
    values = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.5])
    found = Design.of(np.zeros(6)).variance(values)
    assert found.value == pytest.approx(stats.sem(values) ** 2)
    assert found.df == 5


def test_variance_is_summed_within_strata():
    # Strata [0, 1] and [0, 0, 1, 1]: (2/6)² · 0.5/2 + (4/6)² · (1/3)/4.
    found = Design.of(list("aabbbb")).variance([0, 1, 0, 0, 1, 1])
    assert found.value == pytest.approx(1 / 36 + 1 / 27)


def test_difference_between_strata_is_no_variance():
    found = Design.of(list("aaabbb")).variance([0, 0, 0, 1, 1, 1])
    assert found.value == 0
    assert found.df == 4


def test_clustered_variance_is_the_cluster_robust_one_of_ols():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 12, 60)
    values = rng.normal(size=60) + rng.normal(size=12)[groups]
    fit = sm.OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert Design.of(np.zeros(60), groups).variance(values).value == pytest.approx(fit.bse[0] ** 2)


def test_stratified_clustered_variance_is_the_weighted_sum_of_cluster_robust_ones():
    rng = np.random.default_rng(2)
    strata = np.repeat([0, 1, 2], [20, 30, 50])
    groups = np.concatenate([rng.integers(0, 6, 20), 10 + rng.integers(0, 7, 30), 20 + rng.integers(0, 9, 50)])
    values = rng.normal(size=100) + groups % 3
    expected = 0.0
    for name in range(3):
        chosen = strata == name
        fit = sm.OLS(values[chosen], np.ones(chosen.sum())).fit(cov_type="cluster", cov_kwds={"groups": groups[chosen]})
        expected += chosen.mean() ** 2 * fit.bse[0] ** 2
    assert Design.of(strata, groups).variance(values).value == pytest.approx(expected)


def test_satterthwaite_is_welch_for_two_samples():
    first, second = np.array([1.0, 2.0, 4.0, 7.0]), np.array([2.0, 2.5, 3.0, 9.0, 1.0, 0.0])
    parts = np.array([first.var(ddof=1) / 4, second.var(ddof=1) / 6])
    expected = stats.ttest_ind(first, second, equal_var=False).df
    assert satterthwaite(parts, np.array([3.0, 5.0])) == pytest.approx(expected)


def test_strata_of_one_item_are_merged_instead_of_counted_as_certain():
    design = Design.of(list("abcdef"))
    assert design.n_strata == 1
    assert design.variance([0, 1, 0, 1, 0, 1]).value == pytest.approx(0.3 / 6)


def test_a_lone_single_stratum_joins_the_smallest_other():
    design = Design.of(list("aaaabbc"))
    assert sorted(design.clusters_of_strata) == [3, 4]


def test_strata_that_share_a_cluster_are_one():
    assert Design.of(list("aabbcc"), [1, 2, 2, 3, 4, 5]).n_strata == 2


def test_one_cluster_says_nothing_of_the_variance():
    found = Design.of(np.zeros(4), np.zeros(4)).variance([1, 0, 1, 1])
    assert np.isinf(found.value)
    assert found.df == 0


def test_full_effect_is_the_size_of_equal_clusters():
    assert Design.of(np.zeros(6), [1, 1, 1, 2, 2, 2]).full_effect == 3


def test_rows_of_several_samples_are_handled_at_once():
    values = np.random.default_rng(3).normal(size=(4, 10))
    design = Design.of([0] * 4 + [1] * 6, [0, 0, 1, 2, 3, 3, 4, 5, 5, 6])
    assert design.variance(values).value == pytest.approx([design.variance(row).value for row in values])


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_order_of_items_and_a_constant_change_nothing(data):
    n = data.draw(st.integers(4, 30))
    strata = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    clusters = np.array(data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)))
    values = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n)))
    order = np.array(data.draw(st.permutations(range(n))))
    found = Design.of(strata, clusters).variance(values)
    moved = Design.of(strata[order], clusters[order]).variance(values[order] + 0.25)
    np.testing.assert_allclose(moved.value, found.value, rtol=1e-6, atol=1e-15)


def test_the_error_of_a_variance_is_that_of_the_mean_of_squares():
    values = np.random.default_rng(0).normal(size=200)
    found = Design.plain(200).variance(values)
    squares = (values - values.mean()) ** 2
    # A sum of squares varies as its terms do: their deviation over their mean, by the root of their number.
    assert found.error == pytest.approx(squares.std() / squares.mean() / np.sqrt(200))


def test_nothing_that_varies_has_no_error():
    assert Design.plain(5).variance(np.zeros(5)).error == 0
