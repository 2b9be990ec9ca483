import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar

from mplus_eval.statistics.score_interval import restricted_variance, score_interval, score_statistic


def restricted_statistic(difference: float, gained: int, lost: int, n: int) -> float:
    """The score statistic with the likelihood maximised numerically."""

    def minus_log_likelihood(fallen: float) -> float:
        cells = np.array([fallen + difference, fallen, 1 - 2 * fallen - difference])
        return -float(np.array([gained, lost, n - gained - lost]) @ np.log(np.maximum(cells, 1e-300)))

    low, high = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    fallen = minimize_scalar(minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = 2 * fallen + difference - difference**2
    return float(((gained - lost) / n - difference) / np.sqrt(variance / n))


@pytest.mark.parametrize(("gained", "lost", "n"), [(3, 9, 50), (5, 5, 44), (12, 1, 30), (20, 35, 200)])
@pytest.mark.parametrize("difference", [-0.3, -0.02, 0.05, 0.2])
def test_statistic_is_that_of_the_numerically_restricted_likelihood(gained, lost, n, difference):
    found = score_statistic(difference, gained / n, lost / n, n)
    assert found == pytest.approx(restricted_statistic(difference, gained, lost, n), rel=1e-5)


def test_statistic_at_no_difference_is_mcnemars():
    table = [[50, 17], [8, 25]]
    expected = mcnemar(table, exact=False, correction=False).statistic
    assert score_statistic(0.0, 0.08, 0.17, 100) ** 2 == pytest.approx(expected)


def test_interval_ends_where_the_statistic_meets_the_critical_value():
    low, high = score_interval(3 / 50, 9 / 50, 50, 1.96)
    assert low == pytest.approx(brentq(lambda d: restricted_statistic(d, 3, 9, 50) - 1.96, -0.5, -0.13), abs=1e-5)
    assert high == pytest.approx(brentq(lambda d: restricted_statistic(d, 3, 9, 50) + 1.96, -0.11, 0.3), abs=1e-5)


def test_interval_without_any_discordant_pair_has_a_closed_form():
    # With nothing observed the variance at d is |d|(1 − |d|), so d²n = c²|d|(1 − |d|) and d = c²/(n + c²).
    low, high = score_interval(0.0, 0.0, 100, 2.0)
    assert high == pytest.approx(4 / 104)
    assert low == pytest.approx(-4 / 104)


def test_swapping_the_models_swaps_the_interval():
    low, high = score_interval(0.1, 0.25, 40, 1.96)
    swapped = score_interval(0.25, 0.1, 40, 1.96)
    assert (low, high) == pytest.approx((-swapped[1], -swapped[0]))


def test_all_items_gained_leaves_one_inside():
    low, high = score_interval(1.0, 0.0, 10, 1.96)
    assert high == 1
    assert 0 < low < 1


def test_variance_at_the_observed_difference_is_the_observed_one():
    assert restricted_variance(-0.1, 0.2, 0.3) == pytest.approx(0.5 - 0.01)
