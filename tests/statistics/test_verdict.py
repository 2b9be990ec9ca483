import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.verdict import verdict


@pytest.mark.parametrize(
    ("difference", "p_difference", "p_kept", "interval", "expected"),
    [
        (0.05, 0.01, 0.001, (0.01, 0.09), Verdict.IMPROVED),
        (0.05, 0.01, 0.9, (0.01, 0.09), Verdict.IMPROVED),
        (-0.005, 0.01, 0.001, (-0.009, -0.001), Verdict.PRESERVED),
        (0.005, 0.4, 0.001, (-0.005, 0.015), Verdict.PRESERVED),
        (-0.05, 0.01, 0.9, (-0.09, -0.01), Verdict.DEGRADED),
        (-0.05, 0.05, 0.9, (-0.09, -0.01), Verdict.UNDECIDED),
        (0.0, 1.0, 0.025, (-0.02, 0.02), Verdict.UNDECIDED),
        (0.0, 0.01, 0.5, (-0.1, 0.1), Verdict.UNDECIDED),
    ],
)
def test_the_first_rule_that_holds_decides(difference, p_difference, p_kept, interval, expected):
    assert verdict(difference, p_difference, p_kept, interval) is expected


@pytest.mark.parametrize("difference", [0.05, -0.05])
def test_no_difference_is_claimed_where_the_interval_holds_0(difference):
    assert verdict(difference, 1e-6, 0.9, (-0.11, 0.06)) is Verdict.UNDECIDED


def test_no_significant_difference_is_not_preserved():
    assert verdict(-0.001, 0.99, 0.03, (-0.05, 0.05)) is Verdict.UNDECIDED


def test_where_there_is_nothing_to_preserve_that_is_said_and_differences_stand():
    assert verdict(0.0, 1.0, 0.001, (-0.01, 0.01), informative=False) is Verdict.NOT_INFORMATIVE
    assert verdict(0.05, 0.01, 0.001, (0.01, 0.09), informative=False) is Verdict.IMPROVED
    assert verdict(-0.05, 0.01, 0.9, (-0.09, -0.01), informative=False) is Verdict.DEGRADED
    assert verdict(0.0, 1.0, 0.9, (-0.1, 0.1), informative=False) is Verdict.UNDECIDED


def test_level_may_be_another():
    assert verdict(-0.1, 0.03, 0.9, (-0.15, -0.05), level=0.01) is Verdict.UNDECIDED
