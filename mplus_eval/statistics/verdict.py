"""The verdict on a difference: the first rule that holds."""

from __future__ import annotations

from mplus_eval.records.verdict import Verdict


def verdict(difference: float, p_difference: float, p_non_inferiority: float, level: float = 0.05) -> Verdict:
    """Say what the data show; "no significant difference" alone is never called preserved.

    Args:
        difference: oriented so that more is better.
        p_difference: two-sided, adjusted.
        p_non_inferiority: one-sided, adjusted; held against half the level.
        level: of the two-sided test.
    """
    differs = p_difference < level
    if differs and difference > 0:
        return Verdict.IMPROVED
    if p_non_inferiority < level / 2.0:
        return Verdict.PRESERVED
    if differs and difference < 0:
        return Verdict.DEGRADED
    return Verdict.UNDECIDED
