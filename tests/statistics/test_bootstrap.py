import numpy as np
import pytest
from scipy import stats

from mplus_eval.statistics.bootstrap import bootstrap_average, resampled_means
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.estimate import average
from mplus_eval.statistics.paired import paired_difference


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clustered_task(n_strata: int, n_clusters: int, seed: int):
    """Clusters of one to three items, graded in quarters, in strata of different level."""
    generator = rng(seed)
    strata, clusters, values = [], [], []
    for stratum in range(n_strata):
        for cluster in range(n_clusters):
            size = int(generator.integers(1, 4))
            strata += [stratum] * size
            clusters += [stratum * n_clusters + cluster] * size
            values += list(np.clip(generator.integers(-2, 3) + generator.integers(-1, 2, size), -4, 4) / 4)
    return np.array(values), Design.of(strata, clusters)


def test_spread_of_plain_resamples_is_scipys():
    values = rng(1).choice([-1.0, 0.0, 1.0], size=80, p=[0.2, 0.6, 0.2])
    means = resampled_means([(values, Design.of(np.zeros(80)))], 20_000, rng())
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=rng(2)).standard_error
    assert means.std() == pytest.approx(expected * np.sqrt(80 / 79), rel=0.02)
    assert means.mean() == pytest.approx(values.mean(), abs=4 * expected / np.sqrt(20_000))


def test_spread_of_stratified_clustered_resamples_is_the_closed_form():
    tasks = [clustered_task(3, 40, 1), clustered_task(1, 60, 2)]
    means = resampled_means(tasks, 20_000, rng())
    expected = sum(float(design.variance(values).value) for values, design in tasks) / 4
    assert means.var() == pytest.approx(expected, rel=0.04)


def test_small_strata_do_not_shrink_the_spread():
    values, strata = np.resize([1.0, -1.0, 0.0, 1.0], 40), np.repeat(np.arange(20), 2)
    design = Design.of(strata)
    means = resampled_means([(values, design)], 20_000, rng())
    assert means.var() == pytest.approx(float(design.variance(values).value), rel=0.05)


def test_average_keeps_the_estimate_and_takes_the_bootstraps_variance():
    tasks = [clustered_task(2, 30, 3), clustered_task(1, 50, 4)]
    values, designs = [task[0] for task in tasks], [task[1] for task in tasks]
    parts = [paired_difference(v, d) for v, d in tasks]
    found = bootstrap_average(parts, values, designs, rng())
    assert found.value == average(parts).value
    np.testing.assert_allclose(found.interval(), average(parts).interval(), atol=0.004)


def test_nothing_that_differs_is_not_certainty():
    design = Design.of(np.zeros(50))
    found = bootstrap_average([paired_difference(np.zeros(50), design)], [np.zeros(50)], [design], rng())
    low, high = found.interval()
    assert low < -0.03
    assert high > 0.03


def test_unknown_variance_of_one_task_leaves_everything_open():
    designs = [Design.of(np.zeros(50)), Design.of([0])]
    values = [np.resize([1.0, 0.0], 50), np.ones(1)]
    parts = [paired_difference(v, d) for v, d in zip(values, designs, strict=True)]
    assert bootstrap_average(parts, values, designs, rng()).interval() == (-1, 1)


def test_same_seed_same_resamples_whatever_the_order_of_items():
    values, strata = rng(5).choice([-1.0, 0.0, 1.0], 60), np.repeat([0, 1], 30)
    order = rng(6).permutation(60)
    first = resampled_means([(values, Design.of(strata))], 100, rng())
    second = resampled_means([(values[order], Design.of(strata[order]))], 100, rng())
    np.testing.assert_allclose(first, second)
