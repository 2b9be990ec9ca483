"""Several models against one baseline: tests that share it are correlated, and Dunnett's adjustment knows that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from mplus_eval.statistics.design import Floats

Key = TypeVar("Key")

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_LARGEST_CORRELATION = 0.99


def dunnett(p_values: Mapping[Key, float], correlation: float, *, two_sided: bool = True) -> dict[Key, float]:
    """Adjusted p-values by key, step-down (Dunnett 1955; Dunnett & Tamhane 1991).

    The smallest of k p-values is replaced by the chance that one of k standard normal statistics with that correlation
    lies as far out, the next by the same of k − 1, and so on; none is smaller than the one before.

    Args:
        p_values: of the unadjusted tests.
        correlation: of every two statistics, at least 0. Models that share a baseline of equal weight have one half.
        two_sided: whether the p-values are.
    """
    ordered = sorted(p_values, key=lambda key: p_values[key])
    adjusted = [
        p_values[key] if left == 1 else _of_largest(p_values[key], left, correlation, two_sided)
        for left, key in zip(range(len(ordered), 0, -1), ordered, strict=True)
    ]
    by_key = dict(zip(ordered, map(float, np.maximum.accumulate(adjusted) if adjusted else ()), strict=True))
    return {key: by_key[key] for key in p_values}


def _of_largest(p_value: float, k: int, correlation: float, two_sided: bool) -> float:
    """The chance that the largest of k equally correlated statistics is as far out as one with this p-value.

    Given what all of them share, they are independent; that is integrated over by Gauss and Hermite.
    """
    from scipy.stats import norm

    rho = min(correlation, _LARGEST_CORRELATION)
    far = norm.isf(p_value / 2.0 if two_sided else p_value)
    shared: Floats = np.sqrt(rho) * _NODES
    own = np.sqrt(1.0 - rho)
    inside = norm.cdf((far - shared) / own) - (norm.cdf((-far - shared) / own) if two_sided else 0.0)
    return max(float(1.0 - _WEIGHTS @ inside**k / np.sqrt(2.0 * np.pi)), p_value)
