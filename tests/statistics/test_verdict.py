import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.verdict import verdict


@pytest.mark.parametrize(
    ("difference", "p_difference", "p_kept", "expected"),
    [
        (0.05, 0.01, 0.001, Verdict.IMPROVED),
        (0.05, 0.01, 0.9, Verdict.IMPROVED),
        (-0.005, 0.01, 0.001, Verdict.PRESERVED),
        (0.005, 0.4, 0.001, Verdict.PRESERVED),
        (-0.05, 0.01, 0.9, Verdict.DEGRADED),
        (-0.05, 0.05, 0.9, Verdict.UNDECIDED),
        (0.0, 1.0, 0.025, Verdict.UNDECIDED),
        (0.0, 0.01, 0.5, Verdict.UNDECIDED),
    ],
)
def test_the_first_rule_that_holds_decides(difference, p_difference, p_kept, expected):
    assert verdict(difference, p_difference, p_kept) is expected


def test_no_significant_difference_is_not_preserved():
    assert verdict(-0.001, 0.99, 0.03) is Verdict.UNDECIDED


def test_level_may_be_another():
    assert verdict(-0.1, 0.03, 0.9, level=0.01) is Verdict.UNDECIDED
