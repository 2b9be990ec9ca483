import numpy as np
import pytest
from scipy import stats

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.score_interval import score_statistic


def single(values):
    return paired_difference(values, Design.of(np.zeros(len(values))))


def test_p_value_is_students_tail_of_the_score_statistic():
    found = single(np.resize([1.0, -1.0, 0, 0, 0, 0, 0, 0, 0, 0], 300))
    statistic = score_statistic(-0.05, 0.1, 0.1, float(found.effective_size))
    assert non_inferiority(found, 0.05) == pytest.approx(stats.t.sf(float(statistic), 299))


@pytest.mark.parametrize("lost", [0, 1, 3, 6, 10])
def test_p_value_and_interval_agree_on_every_margin(lost):
    found = single(np.array([-1.0] * lost + [1.0] * 2 + [0.0] * (300 - lost - 2)))
    edge = -float(found.interval(0.05)[0])
    assert non_inferiority(found, edge * 1.001) < 0.025 < non_inferiority(found, edge * 0.999)


def test_five_equal_answers_prove_nothing():
    assert non_inferiority(single(np.zeros(5)), 0.02) > 0.3


def test_without_a_discordant_pair_about_two_hundred_items_prove_two_points():
    # (1 − 0.02)ⁿ < 0.025 from n = 183 on; the score test asks for a few more.
    assert non_inferiority(single(np.zeros(180)), 0.02) > 0.025
    assert non_inferiority(single(np.zeros(200)), 0.02) < 0.025


def test_a_single_item_proves_nothing():
    assert non_inferiority(single(np.ones(1)), 0.5) == 1


def test_one_cluster_proves_nothing():
    found = paired_difference(np.zeros(500), Design.of(np.zeros(500), np.zeros(500)))
    assert non_inferiority(found, 0.5) == 1


def test_clusters_prove_less_than_items():
    clustered = paired_difference(np.zeros(300), Design.of(np.zeros(300), np.repeat(np.arange(75), 4)))
    assert non_inferiority(clustered, 0.02) > 0.025 > non_inferiority(single(np.zeros(300)), 0.02)


@pytest.mark.parametrize("lost_rate", [0.02, 0.06])
def test_preserved_is_seldom_false_at_a_loss_of_the_margin(lost_rate):
    rng = np.random.default_rng(8)
    uniform = rng.random((4000, 50))
    values = (uniform < lost_rate - 0.02).astype(float) - (uniform > 1 - lost_rate)
    false = np.mean(non_inferiority(single_rows(values), 0.02) < 0.025)
    assert false <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / 4000)


def single_rows(values):
    return paired_difference(values, Design.of(np.zeros(values.shape[1])))
