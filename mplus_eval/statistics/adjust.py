"""Adjustment of p-values for the number of questions that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from mplus_eval.statistics.hypothesis_tests import Significance

Key = TypeVar("Key")


def step_down(tests: Mapping[Key, Significance]) -> dict[Key, float]:
    """Adjusted p-values by key: the chance of one false finding among all is held, whatever depends on what.

    The smallest p-value p of n tests is replaced by the sum of the chances that each of them had of one as small, the
    next by the same sum over those that are left, and so on; none is smaller than the one before, or above 1. Where
    p-values may be anything that is Holm's adjustment (1979). An exact test on few items that differ can give few
    p-values, and often none as small as p: it then adds nothing (Westfall & Wolfinger 1997; Tarone 1990).
    """
    # By hand, since statsmodels' own collects garbage at every call: a tenth of a second where torch is loaded.
    ordered = sorted(tests, key=lambda key: tests[key].p_value)
    sums = [
        sum(tests[other].chance_of(tests[key].p_value) for other in ordered[place:])
        for place, key in enumerate(ordered)
    ]
    adjusted = np.minimum(np.maximum.accumulate(sums), 1.0) if sums else ()
    by_key = dict(zip(ordered, map(float, adjusted), strict=True))
    return {key: by_key[key] for key in tests}


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's adjusted p-values by key: the chance of one false finding among all is held (Holm 1979)."""
    return step_down({key: Significance(p_value) for key, p_value in p_values.items()})


def one_before(first: Key, adjusted_others: Mapping[Key, float], p_first: float) -> dict[Key, float]:
    """Adjusted p-values of a fixed sequence: one question is asked at the full level, the others if it is settled.

    Args:
        first: what is asked first.
        adjusted_others: p-values of the others, adjusted among themselves.
        p_first: the p-value of the first.
    """
    return {first: p_first, **{key: max(p_value, p_first) for key, p_value in adjusted_others.items()}}
