from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from mplus_eval.conversation.bradley_terry import bounded, fit


def test_two_models_are_worked_out_by_hand() -> None:
    # Three of four wins: odds of 3.
    assert fit(np.array([[0.0, 10.0], [30.0, 0.0]]), 0.0) == pytest.approx(np.array([0.0, np.log(3.0)]))


def test_the_prior_is_one_tie_for_each_two_models() -> None:
    assert fit(np.array([[0.0, 10.0], [30.0, 0.0]]))[1] == pytest.approx(logit(30.5 / 41))
    assert fit(np.array([[0.0, 0.0], [40.0, 0.0]]))[1] == pytest.approx(logit(40.5 / 41))


def test_many_fits_at_once_are_each_the_same_as_alone() -> None:
    wins = np.random.default_rng(4).integers(1, 20, size=(5, 3, 3)).astype(float)
    assert fit(wins) == pytest.approx(np.stack([fit(one) for one in wins]))


def test_a_rating_is_bounded_on_a_side_where_a_chain_of_wins_leads() -> None:
    # The second beat the first and lost to it, the third always won, the fourth always lost.
    wins = np.array([[0, 3, 0, 5], [2, 0, 0, 0], [4, 0, 0, 0], [0, 0, 0, 0]], dtype=float)
    above, below = bounded(wins)
    assert above.tolist() == [True, True, False, True]
    assert below.tolist() == [True, True, True, False]
