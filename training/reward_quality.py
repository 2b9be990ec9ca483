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
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    columns = [np.asarray(column, dtype=float) for column in (chosen, rejected, chosen_lengths, rejected_lengths)]
    if any(column.ndim != 1 or column.shape != columns[0].shape for column in columns) or not columns[0].size:
        shapes = [column.shape for column in columns]
        raise ValueError(f"one value a pair is needed, at least one pair; shapes are {shapes}")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("a reward or length is not finite")
    c, r, c_length, r_length = columns
    margin, longer, rewards = c - r, c_length - r_length, np.concatenate([c, r])
    low, high = proportion_confint(_won(margin).sum(), len(margin), alpha=0.05, method="wilson")
    is_constant = np.ptp(longer) == 0 or np.ptp(margin) == 0
    return RewardQuality(
        n_pairs=len(margin),
        accuracy=float(_won(margin).mean()),
        accuracy_low=float(low),
        accuracy_high=float(high),
        margin=float(margin.mean()),
        log_loss=float(np.logaddexp(0.0, -margin).mean()),
        calibration_error=calibration_error(margin),
        length_correlation=None if is_constant else float(stats.spearmanr(longer, margin).statistic),
        longer_wins=float(_won(longer).mean()),
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


def _won(difference: Floats) -> Floats:
    """1 above zero, 0 below, a half at zero."""
    return (np.sign(difference) + 1.0) / 2.0
