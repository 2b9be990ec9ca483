import numpy as np
import pytest
from scipy.stats import binom

from mplus_eval.statistics import binomial

SHARES = [0.0, 1e-7, 0.03, 0.5, 0.81, 1.0]


@pytest.mark.parametrize("n", [1, 2, 60, 2419])
@pytest.mark.parametrize("p", SHARES)
def test_the_numbers_are_those_of_scipys_public_functions(n, p):
    inside, around = np.arange(n + 1), np.arange(-2, n + 3)
    np.testing.assert_array_equal(binomial.pmf(inside, n, p), binom.pmf(inside, n, p))
    np.testing.assert_array_equal(binomial.cdf(around, n, p), binom.cdf(around, n, p))
    np.testing.assert_array_equal(binomial.sf(around, n, p), binom.sf(around, n, p))


def test_each_count_may_have_a_number_of_draws_of_its_own():
    k, n = np.array([-1, 0, 0, 1, 3, 4]), np.array([0, 0, 4, 4, 4, 4])
    np.testing.assert_array_equal(binomial.cdf(k, n, 0.3), binom.cdf(k, n, 0.3))
    np.testing.assert_array_equal(binomial.sf(k, n, 0.3), binom.sf(k, n, 0.3))


@pytest.mark.parametrize("n", [1, 40, 5000])
@pytest.mark.parametrize("p", SHARES)
def test_the_likely_counts_leave_less_than_the_tail_on_either_side(n, p):
    counts = binomial.likely(n, p, 1e-9)
    assert binom.cdf(counts[0] - 1, n, p) < 1e-9
    assert binom.sf(counts[-1], n, p) < 1e-9
    np.testing.assert_array_equal(counts, np.arange(counts[0], counts[-1] + 1))
    assert counts[0] >= 0
    assert counts[-1] <= n
