from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, permutation_test

from mplus_eval.statistics.exchangeability import N_DRAWS, exchangeability_test, min_k


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_an_order_that_is_best_in_every_shard_is_as_unlikely_as_chance_says() -> None:
    """Of three orders the first is the best in each of four shards: 1 in 81."""
    values = [[3.0, 1.0, 2.0]] * 4
    found = exchangeability_test(values, generator())
    assert found.gain == pytest.approx(1.5)
    assert found.n_rows == 4
    assert found.p_value == pytest.approx(1 / 81, abs=4 * np.sqrt(1 / 81 / N_DRAWS))


def test_the_worst_order_has_a_p_value_of_one() -> None:
    assert exchangeability_test([[0.0, 1.0, 2.0]] * 5, generator()).p_value == 1.0


def test_shards_count_alike_whatever_their_spread() -> None:
    rows = generator().normal(size=(20, 6))
    stretched = rows * np.geomspace(1e-3, 1e3, 20)[:, None] + np.arange(20)[:, None] * 100
    first, second = (exchangeability_test(table, generator(1)).p_value for table in (rows, stretched))
    assert first == pytest.approx(second)


def test_it_equals_scipys_permutation_test_of_pairs() -> None:
    """With one other order, drawing a column is changing a sign."""
    values = generator(3).normal(loc=(0.4, 0.0), size=(12, 2))
    # Each row is divided by its spread, so that a difference of two is +1 or -1 whatever its size.
    signs = np.sign(values[:, 0] - values[:, 1])
    expected = permutation_test((signs,), np.sum, permutation_type="samples", alternative="greater", n_resamples=np.inf)
    assert exchangeability_test(values, generator()).p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_p_values_are_spread_evenly_where_no_order_is_singled_out() -> None:
    values = generator(5).standard_t(3, size=(400, 8, 6)).cumsum(axis=2)
    values = generator(6).permuted(values, axis=2)
    p_values = [exchangeability_test(table, generator(number)).p_value for number, table in enumerate(values)]
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09


@pytest.mark.parametrize("values", [np.zeros((0, 3)), [[2.0, 2.0, 2.0]], [[-1e6, -1e6]]])
def test_values_that_do_not_differ_tell_nothing(values: object) -> None:
    found = exchangeability_test(np.asarray(values, dtype=float), generator())
    assert (found.p_value, found.gain, found.n_rows) == (1.0, 0.0, 0)


def test_min_k_is_the_mean_of_the_least_likely_tokens() -> None:
    values = [-0.1, -5.0, -2.0, -0.3, -0.2, -4.0, -0.1, -0.1, -0.1, -0.1]
    assert min_k(values, 0.2) == pytest.approx(-4.5)
    assert min_k(values, 0.21) == pytest.approx(-11 / 3)
    assert min_k([-3.0], 0.01) == -3.0
