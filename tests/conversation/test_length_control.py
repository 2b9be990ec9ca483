from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import t

from mplus_eval.conversation.length_control import (
    ALL_AT_ONCE,
    EQUAL_DIFFERENCES,
    FEW_DIALOGUES,
    LENGTH_UNKNOWN,
    explained_by_length,
    is_separated,
    length_controlled,
    length_term,
)
from mplus_eval.conversation.win_rate import win_rate
from tests.conversation.tables import table


def lengths(preferences: list[float], differences: list[int], dialogues: list[int] | None = None) -> pd.DataFrame:
    n = len(preferences)
    words = [500 + difference for difference in differences]
    return table(preferences, words_model=words, words_baseline=[500] * n, dialogues=dialogues)


def drawn(theta: float, phi: float, n: int = 400, mean_difference: float = 60.0) -> pd.DataFrame:
    """Pairs judged by the model of the regression itself."""
    rng = np.random.default_rng(5)
    differences = np.round(rng.normal(mean_difference, 80.0, size=n))
    chance = expit(theta + phi * length_term(differences))
    return lengths((rng.random(n) < chance).astype(float).tolist(), differences.astype(int).tolist())


def test_two_lengths_are_worked_out_by_hand() -> None:
    # 30 of 40 wins where longer, 10 of 40 where shorter by as much: the mean of both log-odds is 0.
    rows = lengths([1.0] * 30 + [0.0] * 10 + [1.0] * 10 + [0.0] * 30, [50] * 40 + [-50] * 40)
    found = length_controlled(rows)
    sd = float(np.std([50.0] * 40 + [-50.0] * 40, ddof=1))
    assert found.value == pytest.approx(0.5)
    assert found.length_effect == pytest.approx(np.log(3.0) / np.tanh(50.0 / sd))


def test_what_length_does_not_explain_stays() -> None:
    rows = lengths([1.0] * 36 + [0.0] * 4 + [1.0] * 24 + [0.0] * 16, [50] * 40 + [-50] * 40)
    expected = expit((logit(0.9) + logit(0.6)) / 2.0)
    assert length_controlled(rows).value == pytest.approx(float(expected))


def test_the_fit_maximises_the_likelihood_with_ties_as_half_wins() -> None:
    rng = np.random.default_rng(2)
    preferences, differences = rng.choice([0.0, 0.5, 1.0], size=90), rng.integers(-80, 140, size=90)
    x = np.tanh(differences / differences.std(ddof=1))

    def loss(parameters: np.ndarray) -> float:
        chance = expit(parameters[0] + parameters[1] * x)
        return float(-np.sum(preferences * np.log(chance) + (1.0 - preferences) * np.log(1.0 - chance)))

    best = minimize(loss, np.zeros(2), tol=1e-12).x
    found = length_controlled(lengths(preferences.tolist(), differences.tolist()))
    assert (found.value, found.length_effect) == pytest.approx((float(expit(best[0])), best[1]), abs=1e-5)


def test_the_interval_is_the_clustered_sandwich() -> None:
    rng = np.random.default_rng(3)
    dialogues = [i // 2 for i in range(120)]
    preferences, differences = rng.integers(0, 2, size=120).astype(float), rng.integers(-80, 140, size=120)
    found = length_controlled(lengths(preferences.tolist(), differences.tolist(), dialogues))
    assert found.ci is not None
    assert found.value is not None
    assert found.length_effect is not None
    x = np.column_stack([np.ones(120), np.tanh(differences / differences.std(ddof=1))])
    chance = expit(x @ [logit(found.value), found.length_effect])
    bread = np.linalg.inv(x.T @ (x * (chance * (1.0 - chance))[:, None]))
    scores = (x * (preferences - chance)[:, None]).reshape(60, 2, 2).sum(axis=1)
    meat = scores.T @ scores * (60 / 59) * (119 / 118)
    reach = float(t.ppf(0.975, 58)) * np.sqrt((bread @ meat @ bread)[0, 0])
    assert found.ci == pytest.approx(tuple(expit(logit(found.value) + sign * reach) for sign in (-1, 1)), abs=1e-6)


def test_a_judge_of_length_and_quality_is_taken_apart() -> None:
    found = length_controlled(drawn(theta=0.8, phi=1.5))
    assert found.ci is not None
    assert found.ci[0] < expit(0.8) < found.ci[1]
    assert found.ci[0] > 0.5
    assert not found.separated


@pytest.mark.parametrize(
    ("rows", "explained"),
    [
        pytest.param(drawn(theta=0.8, phi=1.5), False, id="a win at equal length too"),
        pytest.param(drawn(theta=0.0, phi=2.0), True, id="a win that is gone at equal length"),
        pytest.param(drawn(theta=-1.0, phi=1.5, mean_difference=-60.0), False, id="a loss"),
    ],
)
def test_a_win_is_explained_by_length_where_it_is_gone_at_equal_length(rows: pd.DataFrame, explained: bool) -> None:
    assert explained_by_length(win_rate(rows), length_controlled(rows)) == explained


def test_length_that_decides_every_pair_is_held_and_said() -> None:
    differences = [*range(1, 41), *range(-40, 0)]
    found = length_controlled(lengths([1.0] * 40 + [0.0] * 40, differences))
    assert (found.separated, found.value, found.length_effect) == (True, 0.5, None)
    # Two pairs at one half have a standard error of √2 in log-odds.
    reach = float(t.ppf(0.975, 78)) * 2**0.5
    assert found.ci == pytest.approx((float(expit(-reach)), float(expit(reach))))


def test_a_judge_of_length_with_a_threshold_above_0_is_still_fitted() -> None:
    differences = list(range(-20, 40))
    found = length_controlled(lengths([float(difference > 15) for difference in differences], differences))
    assert found.separated
    assert found.value is not None
    assert found.value < 0.3


def test_a_model_that_wins_at_every_length_wins_at_equal_length() -> None:
    found = length_controlled(lengths([1.0] * 60, [n for n in range(-30, 31) if n]))
    # One loss in 62, by the pairs that hold the fit.
    assert found.value == pytest.approx(61 / 62, abs=0.005)
    assert found.separated
    assert found.ci is not None
    assert 0.5 < found.ci[0] < 0.95


def test_nothing_but_ties_is_not_certainty() -> None:
    found = length_controlled(lengths([0.5] * 60, list(range(-30, 30))))
    assert found.value == pytest.approx(0.5)
    assert found.ci is not None
    assert found.ci[1] - found.ci[0] > 0.2


def test_separation_by_hand() -> None:
    length = np.array([-2.0, -1.0, 1.0, 2.0])
    assert is_separated(np.array([0.0, 0.0, 1.0, 1.0]), length)
    assert is_separated(np.array([1.0, 1.0, 0.0, 0.0]), length)
    assert is_separated(np.array([0.0, 0.5, 1.0, 1.0]), length)
    assert not is_separated(np.array([0.0, 1.0, 0.0, 1.0]), length)
    assert not is_separated(np.array([0.0, 0.5, 0.5, 1.0]), length)


def test_one_side_always_longer_is_said() -> None:
    found = length_controlled(lengths([1.0, 0.0] * 20, list(range(1, 41))))
    assert found.extrapolated
    assert found.value is not None


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (lengths([1.0, 0.0, 1.0, 0.0], [40] * 4), EQUAL_DIFFERENCES),
        (lengths([1.0, 0.0], [40, 50]), FEW_DIALOGUES),
        (lengths([1.0] * 4, [40, 50, 60, 70]), ALL_AT_ONCE),
        (lengths([1.0] * 4, [-40, -50, -60, -70]), ALL_AT_ONCE),
        (lengths([1.0, 0.0, 1.0], [40, 50, 60]).assign(words_model=[1.0, float("nan"), 2.0]), LENGTH_UNKNOWN),
    ],
)
def test_what_cannot_be_known_is_withheld_with_the_reason(rows: pd.DataFrame, reason: str) -> None:
    found = length_controlled(rows)
    assert (found.value, found.ci, found.withheld) == (None, None, reason)
    assert not explained_by_length(win_rate(rows), found)
