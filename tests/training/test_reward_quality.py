from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import special, stats
from statsmodels.stats.proportion import proportion_confint

from mplus_eval.records.training import Training
from mplus_eval.training.reward_quality import calibration_error, reward_quality


def simulated(n: int, sharpness: float = 1.0) -> np.ndarray:
    """Margins of pairs whose preference is drawn by σ of the margin, which the model overstates by `sharpness`."""
    rng = np.random.default_rng(3)
    margin = rng.normal(0, 2, n)
    chosen_first = rng.random(n) < special.expit(margin)
    return np.where(chosen_first, margin, -margin) * sharpness


def test_figures_by_hand():
    found = reward_quality([3.0, 1.0, 0.0, 2.0], [1.0, 1.0, 1.0, -1.0], [5, 9, 7, 2], [3, 9, 9, 8])
    assert found.n_pairs == 4
    assert found.accuracy == pytest.approx(2.5 / 4)
    assert found.margin == pytest.approx((2 + 0 - 1 + 3) / 4)
    assert found.log_loss == pytest.approx((log(1 + exp(-2)) + log(2) + log(1 + exp(1)) + log(1 + exp(-3))) / 4)
    assert found.longer_wins == pytest.approx(1.5 / 4)
    # Ranks of length differences 2, 0, −2, −6 are 4, 3, 2, 1; of margins 2, 0, −1, 3 they are 3, 2, 1, 4.
    assert found.length_correlation == pytest.approx(1 - 6 * (1 + 1 + 1 + 9) / (4 * 15))
    assert found.mean == pytest.approx(1.0)
    assert found.deviation == pytest.approx(sqrt((4 + 0 + 1 + 1 + 0 + 0 + 0 + 4) / 8))


def test_interval_is_wilsons():
    found = reward_quality([1.0] * 8 + [0.0] * 2, [0.5] * 10, range(10), range(10, 20))
    # Wilson (1927) for 8 of 10.
    assert (found.accuracy_low, found.accuracy_high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert proportion_confint(8, 10, method="beta")[0] != pytest.approx(found.accuracy_low, abs=1e-3)


def test_length_correlation_is_scipys():
    rng = np.random.default_rng(0)
    c, r = rng.normal(size=(2, 40))
    n_c, n_r = rng.integers(1, 9, size=(2, 40))
    found = reward_quality(c, r, n_c, n_r).length_correlation
    assert found == pytest.approx(stats.spearmanr(n_c - n_r, c - r).statistic)


def test_length_correlation_sees_a_reward_that_counts_tokens():
    n_c, n_r = np.random.default_rng(0).integers(1, 99, size=(2, 30))
    assert reward_quality(n_c, n_r, n_c, n_r).length_correlation == pytest.approx(1.0)


def test_length_correlation_of_equal_lengths_is_left_out(recwarn):
    found = reward_quality([1.0, 2.0], [0.0, 3.0], [4, 4], [4, 4])
    assert found.length_correlation is None
    assert "length_correlation" not in found.as_dict()
    assert found.longer_wins == 0.5
    assert not recwarn.list


def test_calibration_error_by_hand():
    # σ(log 3) = 0.75 falls into the bin [0.75, 0.8), σ(log 4) = 0.8 into the next; one of two is right, and one of one.
    margin = [log(3.0001), -log(3.0001), log(4.0001)]
    assert calibration_error(margin) == pytest.approx((2 * abs(0.75 - 0.5) + (1 - 0.8)) / 3, abs=1e-4)


def test_calibration_error_is_that_of_pairs_presented_both_ways_round():
    margin = simulated(500)
    believed = special.expit(np.concatenate([margin, -margin]))
    happened = np.concatenate([np.ones(500), np.zeros(500)])
    expected = 0.0
    for low in np.arange(20) / 20:
        inside = (believed >= low) & (believed < low + 0.05)
        if inside.any():
            expected += abs(believed[inside].mean() - happened[inside].mean()) * inside.mean()
    assert calibration_error(margin) == pytest.approx(expected)


def test_calibration_error_is_small_when_probabilities_are_true_and_large_when_overstated():
    assert calibration_error(simulated(20_000)) < 0.01
    assert calibration_error(simulated(20_000, sharpness=4.0)) > 0.1


@pytest.mark.parametrize("margin", [0.0, 800.0, -800.0])
def test_figures_are_finite_at_the_ends(margin):
    found = reward_quality([margin], [0.0], [1], [2]).as_dict()
    assert np.isfinite(list(found.values())).all()
    assert found["calibration_error"] == (1.0 if margin < 0 else 0.0)


def test_the_dictionary_is_what_a_training_record_takes():
    quality = reward_quality([1.0, 2.0], [0.0, 3.0], [4, 5], [4, 1]).as_dict()
    assert all(type(value) is float for value in quality.values())
    fields = {"method": "reward model", "algorithm": "Bradley-Terry", "base": "b", "base_fingerprint": "f", "data": ()}
    record = Training(**fields, step=1, total_steps=1, seed=0, seconds=1.0, quality=quality)
    assert Training.model_validate_json(record.model_dump_json()).quality == quality


@pytest.mark.parametrize("chosen", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_what_is_not_one_finite_reward_a_pair_is_refused(chosen):
    with pytest.raises(ValueError):
        reward_quality(chosen, [0.0] * len(chosen), [1, 2], [1, 2])
