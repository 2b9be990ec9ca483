import dataclasses

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.scores import mean_score


def test_interval_is_wilsons_but_for_student_and_sparseness():
    scores = np.array([1.0] * 420 + [0.0] * 180)
    low, high = mean_score(scores, Design.of(np.zeros(600))).interval()
    assert (low, high) == pytest.approx(proportion_confint(420, 600, method="wilson"), abs=3e-4)


def test_interval_is_exactly_wilsons_with_the_variance_known():
    found = mean_score(np.array([1.0] * 42 + [0.0] * 18), Design.of(np.zeros(60)))
    known = dataclasses.replace(found, df=np.asarray(1e12), informative=np.asarray(0.0))
    assert known.interval() == pytest.approx(proportion_confint(42, 60, method="wilson"), abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_or_all_wrong_is_not_certainty(value):
    low, high = mean_score(np.full(20, value), Design.of(np.zeros(20))).interval()
    assert 0.1 < high - low < 0.3
    assert low <= value <= high


def test_failures_carry_the_information_near_1():
    found = mean_score(np.array([1.0] * 98 + [0.0] * 2), Design.of(np.zeros(100)))
    assert found.informative == 2
    assert found.unseen == pytest.approx(np.exp(-2))


def test_clusters_widen_the_interval():
    scores = np.repeat(np.resize([1.0, 0.0, 1.0], 60), 5)
    plain = mean_score(scores, Design.of(np.zeros(300))).interval()
    clustered = mean_score(scores, Design.of(np.zeros(300), np.repeat(np.arange(60), 5))).interval()
    assert clustered[1] - clustered[0] > 2 * (plain[1] - plain[0])


def test_one_item_excludes_nothing():
    assert mean_score([1.0], Design.of([0])).interval() == (0, 1)
