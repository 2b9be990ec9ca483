"""Adjustment of p-values for the number of questions that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's adjusted p-values by key: the chance of one false finding among all is held (Holm 1979).

    The smallest of n is multiplied by n, the next by n − 1 and so on; none is smaller than the one before, or above 1.
    """
    # By hand, since statsmodels' own collects garbage at every call: a tenth of a second where torch is loaded.
    ordered = sorted(p_values, key=lambda key: p_values[key])
    n_left = np.arange(len(ordered), 0, -1)
    adjusted = np.maximum.accumulate(n_left * np.array([p_values[key] for key in ordered], dtype=float))
    by_key = dict(zip(ordered, (float(p) for p in np.minimum(adjusted, 1.0)), strict=True))
    return {key: by_key[key] for key in p_values}
