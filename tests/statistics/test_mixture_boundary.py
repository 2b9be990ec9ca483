import numpy as np
import pytest

from mplus_eval.statistics.mixture_boundary import TIGHTEST, mixture_boundary, mixture_p_value, tuning


def test_boundary_by_hand():
    # a = 0.025, ρt = 9: sqrt((1 + 1/9) · ln(10 / 0.05²)) = sqrt(10/9 · 8.29405) = 3.0357
    assert mixture_boundary(0.5, 0.025, 18.0) == pytest.approx(3.0357, abs=1e-4)


def test_p_value_is_the_boundary_turned_round():
    shares, levels = np.array([[0.01], [0.25], [1.0]]), np.array([0.001, 0.0125, 0.025])
    rho = tuning(0.0125)
    np.testing.assert_allclose(mixture_p_value(mixture_boundary(shares, levels, rho), shares, rho), levels + 0 * shares)


def test_p_value_is_1_on_the_other_side():
    assert mixture_p_value([-5.0, 0.0, 0.01], 0.5, tuning(0.025)).tolist() == [1.0, 1.0, 1.0]


def test_tuned_boundary_is_lowest_at_its_share_among_all_tunings():
    rhos = np.geomspace(1, 1000, 2001)
    heights = [mixture_boundary(TIGHTEST, 0.0125, rho) for rho in rhos]
    assert rhos[np.argmin(heights)] == pytest.approx(tuning(0.0125), rel=0.05)  # a closed form that is close


def test_sums_of_normal_draws_seldom_cross_at_any_of_many_looks():
    rng = np.random.default_rng(0)
    looks = np.arange(1, 401)
    crossed = np.zeros(4000, dtype=bool)
    boundary = mixture_boundary(looks / 400, 0.025, tuning(0.025))
    for start in range(0, 4000, 1000):
        sums = rng.normal(size=(1000, 400)).cumsum(axis=1) / np.sqrt(looks)
        crossed[start : start + 1000] = np.any(sums >= boundary, axis=1)
    assert 0.003 < crossed.mean() < 0.025
