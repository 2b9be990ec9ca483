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


def alike_passages(n_passages: int) -> np.ndarray:
    """One item in twenty rises and one falls, spread over passages of 16 items."""
    values = np.zeros((n_passages, 16))
    n = round(n_passages * 16 / 20)
    values[np.arange(n) % n_passages, np.arange(n) // n_passages] = 1.0
    values[np.arange(n) % n_passages, 8 + np.arange(n) // n_passages] = -1.0
    return values.ravel()


@pytest.mark.parametrize(("n_passages", "is_bounded"), [(399, False), (400, True)])
def test_many_passages_tell_how_alike_their_items_are_and_few_do_not(n_passages, is_bounded):
    design = Design.of(np.zeros(n_passages * 16), np.repeat(np.arange(n_passages), 16))
    found = paired_difference(alike_passages(n_passages), design)
    assert found.effect < 1.0
    # The anchor of passages of 16 is 1 + 0.3 · 15.
    assert (found.least_effect < 1.2) is np.bool_(is_bounded)
    assert found.least_effect == pytest.approx(found.effect if is_bounded else 5.5, rel=0.2)


def test_passages_lost_whole_raise_the_bound_to_the_anchor():
    values = np.zeros((400, 16))
    values[:5] = -1.0
    design = Design.of(np.zeros(6400), np.repeat(np.arange(400), 16))
    found = paired_difference(values.ravel(), design)
    assert found.least_effect >= 5.5
