import numpy as np
import pytest
from scipy import stats

from mplus_eval.statistics.dunnett import dunnett


def test_one_model_needs_no_adjustment():
    assert dunnett({"a": 0.04}, 0.5) == {"a": 0.04}


def test_the_critical_value_of_four_models_is_dunnetts():
    # Two-sided, five per cent, k = 4, infinite degrees of freedom: 2.44 (Dunnett 1955, table 2).
    p_value = 2 * stats.norm.sf(2.44)
    assert dunnett(dict.fromkeys("abcd", p_value), 0.5)["a"] == pytest.approx(0.05, abs=5e-4)


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
def test_the_adjusted_p_value_is_that_of_the_multivariate_normal(correlation, two_sided):
    p_value = 0.02
    far = stats.norm.isf(p_value / (2 if two_sided else 1))
    covariance = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    low = np.full(3, -far if two_sided else -np.inf)
    inside = stats.multivariate_normal(cov=covariance, seed=0).cdf(np.full(3, far), lower_limit=low)
    assert dunnett(dict.fromkeys("abc", p_value), correlation, two_sided=two_sided)["c"] == pytest.approx(
        1 - inside, abs=2e-4
    )


def test_it_steps_down_and_never_below_the_one_before():
    found = dunnett({"a": 0.2, "b": 0.001, "c": 0.0011}, 0.0)
    # Sidak's where nothing is shared, over three, two and one.
    assert found["b"] == pytest.approx(1 - 0.999**3, rel=1e-3)
    assert found["c"] == pytest.approx(max(1 - 0.999**3, 1 - 0.9989**2), rel=1e-3)
    assert found["a"] == pytest.approx(0.2)


def test_what_is_shared_costs_less():
    p_values = dict.fromkeys("abcd", 0.03)
    assert dunnett(p_values, 0.9)["a"] < dunnett(p_values, 0.5)["a"] < dunnett(p_values, 0.0)["a"]


def test_no_model_is_no_answer():
    assert dunnett({}, 0.5) == {}
