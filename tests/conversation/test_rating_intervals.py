from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import t

from mplus_eval.conversation.bradley_terry import fit
from mplus_eval.conversation.rating_intervals import LogOdds, jackknife, jackknife_ends


def round_robin(n: int, seed: int) -> np.ndarray:
    """Wins by dialogue of three models that all met in each, shape (n, 3, 3)."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 3, size=(n, 3, 3)) / 2.0
    wins = np.triu(first, 1)
    return wins + np.swapaxes(np.triu(1.0 - first, 1), 1, 2)


def test_the_jackknife_leaves_out_one_dialogue_after_another() -> None:
    by_cluster = round_robin(12, seed=0)
    left = np.stack([fit(np.delete(by_cluster, out, axis=0).sum(axis=0)) for out in range(12)])
    expected = 11 * np.cov(left.T, bias=True)
    assert jackknife(by_cluster, 1.0) == pytest.approx(expected, abs=1e-7)


def test_the_jackknife_is_that_of_a_proportion_where_two_models_met_once_a_dialogue() -> None:
    # Of n single pairs, the log-odds without a win and without a loss are each one number.
    wins = np.zeros((50, 2, 2))
    wins[:30, 1, 0] = 1.0
    wins[30:, 0, 1] = 1.0
    without_win, without_loss = logit(29.5 / 50), logit(30.5 / 50)
    mean = (30 * without_win + 20 * without_loss) / 50
    variance = 49 / 50 * (30 * (without_win - mean) ** 2 + 20 * (without_loss - mean) ** 2)
    found = jackknife(wins, 1.0)
    assert found[1, 1] == pytest.approx(variance)
    assert found[0, 0] == 0.0
    ends = jackknife_ends(wins, fit(wins.sum(axis=0)), found, 1.0, 0.05)
    half = t.ppf(0.975, 49) * variance**0.5
    assert [float(end[1]) for end in ends] == pytest.approx([logit(30.5 / 51) - half, logit(30.5 / 51) + half])


def test_of_jackknife_intervals_the_difference_has_the_jackknifes() -> None:
    by_cluster = round_robin(40, seed=1)
    values, covariance = fit(by_cluster.sum(axis=0)), jackknife(by_cluster, 1.0)
    rated = LogOdds(values, *jackknife_ends(by_cluster, values, covariance, 1.0, 0.05), covariance)
    difference, (low, high) = rated.difference(1, 2)
    half = t.ppf(0.975, 39) * np.sqrt(covariance[1, 1] + covariance[2, 2] - 2 * covariance[1, 2])
    assert (difference, low, high) == pytest.approx(
        (values[1] - values[2], values[1] - values[2] - half, values[1] - values[2] + half)
    )


def test_a_difference_is_turned_round_with_its_models() -> None:
    covariance = np.array([[0.0, 0.0, 0.0], [0.0, 0.04, 0.01], [0.0, 0.01, 0.09]])
    rated = LogOdds(np.array([0.0, 1.0, 0.4]), np.array([0.0, 0.7, -0.1]), np.array([0.0, 1.5, 1.1]), covariance)
    difference, (low, high) = rated.difference(1, 2)
    # By hand: ρ = 0.01/0.06; down from 1.0 by 0.3 and up from 0.4 by 0.7; up by 0.5 and down by 0.5.
    assert low == pytest.approx(0.6 - (0.09 + 0.49 - 2 / 6 * 0.21) ** 0.5)
    assert high == pytest.approx(0.6 + (0.25 + 0.25 - 2 / 6 * 0.25) ** 0.5)
    back, ends = rated.difference(2, 1)
    assert (back, *ends) == pytest.approx((-difference, -high, -low))


def test_the_difference_from_the_first_is_the_models_own_interval() -> None:
    rated = LogOdds(np.array([0.0, 1.0]), np.array([0.0, 0.7]), np.array([0.0, np.inf]), np.diag([0.0, 0.0]))
    assert rated.difference(1, 0) == (1.0, (pytest.approx(0.7), np.inf))
