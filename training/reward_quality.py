"""How good a reward model is, on pairs that it never saw.

    chosen 2.0, rejected 0.5    right, margin 1.5, and it is sure of it at σ(1.5) = 0.82
    chosen 0.0, rejected 0.1    wrong, margin −0.1, and it was sure at 0.52

It should be right more often than not, as sure as it is right, and not merely count words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_N_BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RewardQuality:
    """What a reward model says of held-out pairs."""

    n_pairs: int
    accuracy: float
    """Share of pairs whose chosen answer has the higher reward; a tie counts half."""
    accuracy_low: float
    """Wilson's 95 % interval of the accuracy."""
    accuracy_high: float
    margin: float
    """Mean of chosen minus rejected."""
    log_loss: float
    """Mean of −log σ(margin), in nats; log 2 = 0.693 for one who guesses."""
    calibration_error: float
    """Expected calibration error, see `calibration_error`."""
    length_correlation: float | None
    """Spearman's, of the difference in length and in reward; None where either is the same for all pairs."""
    longer_wins: float
    """Accuracy of preferring the longer answer, to compare with; a tie counts half."""
    mean: float
    """Of all rewards, chosen and rejected; for scaling."""
    deviation: float
    """Standard deviation of all rewards about their mean, divided by their number."""

    def as_dict(self) -> dict[str, float]:
        """Every figure that is defined, by its name."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}


def reward_quality(
    chosen: ArrayLike, rejected: ArrayLike, chosen_lengths: ArrayLike, rejected_lengths: ArrayLike
) -> RewardQuality:
    """Judge rewards of held-out pairs.

    Args:
        chosen: rewards of the preferred answers, shape (n_pairs,), neither centred nor scaled.
        rejected: rewards of the others, the same shape.
        chosen_lengths: tokens of the preferred answers, the same shape.
        rejected_lengths: tokens of the others, the same shape.

    Raises:
        ValueError: when there is no pair, shapes differ or a reward is not finite.
    """
    c, r, c_length, r_length = _checked(chosen, rejected, chosen_lengths, rejected_lengths)
    margin, longer, rewards = c - r, c_length - r_length, np.concatenate([c, r])
    low, high = _wilson(margin)
    return RewardQuality(
        n_pairs=len(margin),
        accuracy=_share_above_zero(margin),
        accuracy_low=low,
        accuracy_high=high,
        margin=float(margin.mean()),
        log_loss=float(np.logaddexp(0.0, -margin).mean()),
        calibration_error=calibration_error(margin),
        length_correlation=_spearman(longer, margin),
        longer_wins=_share_above_zero(longer),
        mean=float(rewards.mean()),
        deviation=float(rewards.std()),
    )


def calibration_error(margin: ArrayLike) -> float:
    """Expected calibration error of σ(margin) as the probability that the answer preferred by reward is the chosen one.

    Which answer of a pair is named first is of no meaning, so σ(|margin|) in [0.5, 1], what the model believes of its
    own preference, is held against how often that preference was right, in 10 bins of equal width (Guo et al.,
    1706.04599, equation 3). To present every pair both ways round, in 20 bins over [0, 1], gives the same number. With
    few pairs it is above zero even for a perfect model.

    Args:
        margin: chosen minus rejected, shape (n_pairs,).

    Returns:
        Mean over pairs of |believed − observed| in the pair's bin, in [0, 1].
    """
    m = np.asarray(margin, dtype=float)
    believed, right = 1.0 / (1.0 + np.exp(-np.abs(m))), _won(m)
    bins = np.minimum(((believed - 0.5) * 2 * _N_BINS).astype(int), _N_BINS - 1)
    gaps = np.bincount(bins, weights=believed - right, minlength=_N_BINS)
    return float(np.abs(gaps).sum() / len(m))


def _checked(*columns: ArrayLike) -> tuple[Floats, ...]:
    arrays = tuple(np.asarray(column, dtype=float) for column in columns)
    if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays) or not arrays[0].size:
        raise ValueError(f"one value a pair is needed, at least one pair; shapes are {[a.shape for a in arrays]}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("a reward or length is not finite")
    return arrays


def _won(difference: Floats) -> Floats:
    """1 above zero, 0 below, a half at zero."""
    return (np.sign(difference) + 1.0) / 2.0


def _share_above_zero(difference: Floats) -> float:
    return float(_won(difference).mean())


def _wilson(margin: Floats) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(_won(margin).sum(), len(margin), alpha=0.05, method="wilson")
    return float(low), float(high)


def _spearman(a: Floats, b: Floats) -> float | None:
    from scipy import stats

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(stats.spearmanr(a, b).statistic)
