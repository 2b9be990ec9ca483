"""What choosing the best of several does to its figures."""

from __future__ import annotations

import numpy as np

CORRELATION = 0.5
"""Of the differences of two models to one baseline, where each varies as much as the baseline."""


def selection_bias(n: int, correlation: float = CORRELATION) -> float:
    """By how many standard errors the best of n models that are alike looks better than it is.

    The mean of the largest of n standard normal values, times √(1 − correlation).

    >>> [round(selection_bias(n), 1) for n in (1, 5, 10, 20)]
    [0.0, 0.8, 1.1, 1.3]

    Args:
        n: how many it was chosen from.
        correlation: of every two of their differences to the baseline.
    """
    from scipy.integrate import quad
    from scipy.stats import norm

    mean, _ = quad(lambda x: x * n * norm.pdf(x) * norm.cdf(x) ** (n - 1), -12.0, 12.0)
    return float(mean * np.sqrt(1.0 - correlation))
