"""The verdict on a difference: the first rule that holds."""

from __future__ import annotations

from mplus_eval.records.base import Interval
from mplus_eval.records.verdict import Verdict


def p_of_gain(p_value: float, with_failures: float, low: float) -> float:
    """The p-value of a gain that must stand with the model's failures counted against it too.

    Args:
        p_value: of the items that have a score.
        with_failures: of these and the failed ones, as the model's worst answers.
        low: lower end of the difference's interval over the same; a gain that is none there has no evidence.
    """
    return max(p_value, with_failures) if low > 0 else 1.0


def verdict(
    difference: float,
    p_difference: float,
    p_non_inferiority: float,
    interval: Interval,
    level: float = 0.05,
    *,
    informative: bool = True,
) -> Verdict:
    """Say what the data show; "no significant difference" alone is never called preserved.

    Test and interval are different procedures and may part at the edge, with clusters also in the middle. A difference
    is claimed where both agree, so a verdict never contradicts its own interval.

    Args:
        difference: oriented so that more is better.
        p_difference: two-sided, adjusted.
        p_non_inferiority: one-sided, adjusted; held against half the level.
        interval: of the difference, of confidence 1 − `level`, in its orientation.
        level: of the two-sided test.
        informative: whether there is something to preserve; where not, that is said instead.
    """
    low, high = interval
    differs = p_difference < level
    if differs and difference > 0 and low > 0:
        return Verdict.IMPROVED
    if p_non_inferiority < level / 2.0:
        return Verdict.PRESERVED if informative else Verdict.NOT_INFORMATIVE
    if differs and difference < 0 and high < 0:
        return Verdict.DEGRADED
    return Verdict.UNDECIDED
