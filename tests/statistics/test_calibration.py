from __future__ import annotations

import numpy as np
import pytest

from mplus_eval.statistics.calibration import calibration


def test_all_figures_are_worked_out_by_hand() -> None:
    found = calibration([0.15, 0.15, 0.9, 1.0], [False, True, True, True])
    # Squares 0.0225, 0.7225, 0.01, 0; bins: 0.15 said and ½ seen, 0.95 said and all seen.
    assert found.brier == pytest.approx(0.755 / 4)
    assert found.reference == pytest.approx(0.75 * 0.25)
    assert found.error == pytest.approx((2 * 0.35 + 2 * 0.05) / 4)
    assert [(each.low, each.high, each.n_items) for each in found.bins] == [(0.1, 0.2, 2), (0.9, 1.0, 2)]
    assert [each.mean_score for each in found.bins] == pytest.approx([0.15, 0.95])
    assert [each.share for each in found.bins] == [0.5, 1.0]
    assert found.bins[1].ci[0] < 1.0


def test_brier_and_bins_are_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(0)
    scores = rng.uniform(size=500)
    positive = rng.uniform(size=500) < scores**2
    found = calibration(scores, positive)
    assert found.brier == pytest.approx(brier_score_loss(positive, scores))
    shares, means = calibration_curve(positive, scores, n_bins=10)
    assert [each.share for each in found.bins] == pytest.approx(shares)
    assert [each.mean_score for each in found.bins] == pytest.approx(means)


def test_exact_probabilities_have_the_error_that_chance_has() -> None:
    rng = np.random.default_rng(1)
    scores = rng.beta(0.5, 0.5, size=400)
    errors = [calibration(scores, rng.uniform(size=400) < scores) for _ in range(200)]
    assert np.mean([each.error for each in errors]) == pytest.approx(errors[0].by_chance, rel=0.05)


def test_items_that_stand_together_widen_intervals() -> None:
    rng = np.random.default_rng(2)
    scores = np.repeat(rng.uniform(size=100), 4)
    positive = np.repeat(rng.uniform(size=100) < 0.5, 4)
    alone, together = calibration(scores, positive), calibration(scores, positive, np.repeat(range(100), 4))
    assert together.brier == alone.brier
    assert together.brier_ci[1] - together.brier_ci[0] > 1.5 * (alone.brier_ci[1] - alone.brier_ci[0])
