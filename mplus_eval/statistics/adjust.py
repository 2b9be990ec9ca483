"""Adjustment of p-values for the number of questions that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's adjusted p-values by key: the chance of one false finding among all is held (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    if len(p_values) < 2:
        return dict(p_values)
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, (float(p) for p in adjusted), strict=True))
