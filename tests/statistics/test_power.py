import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.power import smallest_detectable, smallest_provable


def sample(n: int = 1000):
    values = np.zeros(n)
    values[: n // 10] = np.resize([1.0, -1.0], n // 10)
    return paired_difference(values, Design.of(np.zeros(n)))


def test_detectable_difference_by_hand():
    # Standard deviation √0.1 over 1,000 pairs: (1.962 + 0.842) · 0.01 = 0.028.
    assert smallest_detectable(sample(), 0.05) == pytest.approx(0.02804, rel=0.02)


def test_detectable_difference_is_that_of_statsmodels():
    effect = TTestPower().solve_power(nobs=1000, alpha=0.05, power=0.8)
    assert smallest_detectable(sample(), 0.05) == pytest.approx(effect * np.sqrt(0.1), rel=0.02)


def test_detectable_difference_grows_with_the_family():
    assert smallest_detectable(sample(), 0.05, 11) == pytest.approx(0.01 * (2.845 + 0.842), rel=0.05)


def test_detectable_difference_is_not_0_where_nothing_differed():
    found = paired_difference(np.zeros(100), Design.of(np.zeros(100)))
    assert smallest_detectable(found, 0.05) > 0.02


def test_detectable_difference_never_exceeds_what_is_possible():
    found = paired_difference(np.array([1.0, -1.0]), Design.of(np.zeros(2)))
    assert smallest_detectable(found, 0.05) == 1.0


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
