"""What a sample could have shown: the smallest detectable difference and the smallest provable margin."""

from __future__ import annotations

from mplus_eval.statistics.estimate import student_quantile
from mplus_eval.statistics.paired import PairedDifference

POWER = 0.8


def smallest_detectable(difference: PairedDifference, level: float, n_tests: int = 1) -> float | None:
    """The true difference that a two-sided test finds in four of five samples like this; None if not known.

    (t(1 − level/2) + t(0.8)) standard errors, where the standard error is half the interval's width over its quantile,
    so that it is not 0 where nothing differed (Miller 2024; Cohen 1988).

    Args:
        difference: what was observed.
        level: of the family of tests.
        n_tests: tests in the family; the level is divided by it, for that is what Holm asks of a lone difference.
    """
    if not difference.df > 0:
        return None
    low, high = difference.interval(level / n_tests)
    critical = student_quantile(1.0 - level / n_tests / 2.0, difference.df)
    error = (high - low) / 2.0 / critical
    detectable = float((critical + student_quantile(POWER, difference.df)) * error)
    return min(detectable, 1.0)


def smallest_provable(difference: PairedDifference, level: float, n_tests: int = 1) -> float | None:
    """The smallest margin for which non-inferiority is shown here whatever the other tests show; None if not known.

    Args:
        difference: what was observed, oriented so that more is better.
        level: two-sided; non-inferiority is tested at half of it.
        n_tests: tests in the family; the level is divided by it.
    """
    if not difference.df > 0:
        return None
    return max(-float(difference.interval(level / n_tests)[0]), 0.0)
