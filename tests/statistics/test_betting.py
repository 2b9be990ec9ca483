from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from mplus_eval.statistics.betting import BETS, betting_interval, log_wealth


def test_wealth_after_one_item_is_the_mean_of_what_each_bet_made():
    assert np.exp(log_wealth(0.0, 1, 0, 1)) == pytest.approx(np.mean(1 + BETS))
    assert np.exp(log_wealth(0.0, 0, 1, 1)) == pytest.approx(np.mean(1 - BETS))
    assert np.exp(log_wealth(0.0, 0, 0, 1)) == pytest.approx(1.0)
    # Against a loss of 0.02 a tie, y = 1/2 where 0.49 is supposed, is worth a little.
    assert np.exp(log_wealth(-0.02, 0, 0, 1)) == pytest.approx(np.mean(1 + BETS * (0.5 / 0.49 - 1)))


def test_against_no_difference_wealth_is_a_mean_of_binomial_likelihood_ratios():
    ratios = [binom.pmf(9, 12, (1 + bet) / 2) / binom.pmf(9, 12, 0.5) for bet in BETS]
    assert np.exp(log_wealth(0.0, 9, 3, 400)) == pytest.approx(np.mean(ratios))


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.1), (0.2, 0.25), (0.05, 0.05)])
def test_wealth_is_1_on_average_at_the_true_difference(up, down):
    mean = 0.0
    for changes in product((-1, 0, 1), repeat=6):
        chance = np.prod([{1: up, 0: 1 - up - down, -1: down}[change] for change in changes])
        mean += chance * np.exp(log_wealth(up - down, changes.count(1), changes.count(-1), 6))
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize(("up", "down", "supposed"), [(0.02, 0.02, 0.0), (0.0, 0.02, -0.02), (0.04, 0.06, -0.02)])
def test_wealth_ever_reaches_20_in_less_than_one_sample_of_twenty(up, down, supposed):
    # Exact, by the distribution of gains and losses among the samples whose wealth has stayed below 20 so far.
    n_items, most = 400, 40
    gained, lost = np.meshgrid(np.arange(most), np.arange(most), indexing="ij")
    alive = np.zeros((most, most))
    alive[0, 0], reached = 1.0, 0.0
    for n in range(1, n_items + 1):
        moved = alive * (1 - up - down)
        moved[1:] += alive[:-1] * up
        moved[:, 1:] += alive[:, :-1] * down
        over = log_wealth(supposed, gained, lost, np.maximum(n, gained + lost)) >= np.log(20)
        reached += moved[over].sum()
        alive = np.where(over, 0.0, moved)
    assert 0.005 < reached <= 0.05


def test_interval_holds_the_observed_difference_and_mirrors():
    low, high = betting_interval([0, 3, 30], [2, 3, 10], [50, 200, 1000], 0.05)
    assert np.all(low < [-0.04, 0, 0.02])
    assert np.all(high > [-0.04, 0, 0.02])
    mirrored = betting_interval([2, 3, 10], [0, 3, 30], [50, 200, 1000], 0.05)
    np.testing.assert_allclose([low, high], [-mirrored[1], -mirrored[0]])


def test_ends_are_where_the_wealth_reaches_the_inverse_of_half_the_level():
    low, high = betting_interval(12, 20, 500, 0.05)
    assert np.exp(log_wealth(low, 12, 20, 500)) == pytest.approx(40, rel=1e-6)
    assert np.exp(log_wealth(-high, 20, 12, 500)) == pytest.approx(40, rel=1e-6)


def test_where_nothing_differs_more_items_exclude_smaller_losses():
    low = betting_interval(0, 0, np.array([100, 400, 1600]), 0.05)[0]
    assert np.all(np.diff(low) > 0)
    assert low[1] == pytest.approx(-0.0135, abs=0.002)
