import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.contrast import contrasts, intervals
from mplus_eval.statistics.power import items_to_settle, smallest_provable
from tests.statistics.test_difference import difference, pair


def test_margins_are_judged_at_the_level_of_the_whole_family():
    items = pair([1, 0] * 300, [1, 0] * 299 + [0, 0])
    found = {name: difference(items) for name in ("t", "u", "v")}
    judged = contrasts(found, dict.fromkeys(found, items), 0.05)
    assert judged["t"].smallest_provable_margin == smallest_provable(found["t"].estimate, 0.05, 3)
    assert judged["t"].p_non_inferiority_adjusted == pytest.approx(3 * judged["t"].p_non_inferiority)


def test_what_is_undecided_says_what_would_settle_it_and_nothing_else_does():
    items = {"same": pair([1, 0] * 100, [1, 0] * 100), "lost": pair([1] * 200, [1] * 100 + [0] * 100)}
    judged = contrasts({name: difference(items[name]) for name in items}, items, 0.05)
    assert judged["same"].verdict is Verdict.UNDECIDED
    assert judged["same"].items_to_settle == items_to_settle(0.0, 0.0, 200, 0.02, 0.025, 0.025)
    assert judged["lost"].items_to_settle is None


def test_what_is_asked_first_is_judged_alone_and_the_others_among_themselves():
    items = pair([1, 0] * 300, [1, 0] * 299 + [0, 0])
    found = {name: difference(items) for name in ("t", "u", "v")}
    judged = contrasts(found, dict.fromkeys(found, items), 0.05, first="t")
    estimate = found["t"].estimate
    assert judged["t"].smallest_provable_margin == smallest_provable(estimate, 0.05)
    assert judged["u"].smallest_provable_margin == smallest_provable(estimate, 0.05, 2)
    assert judged["t"].p_non_inferiority_adjusted == judged["t"].p_non_inferiority
    assert judged["u"].p_non_inferiority_adjusted == pytest.approx(2 * judged["u"].p_non_inferiority)


def test_intervals_that_are_sought_together_are_those_of_each():
    found = [
        difference(pair([1, 0] * 40, [1, 0] * 30 + [0, 1] * 10)),
        difference(pair([9.0, 3.0, 4.0], [8.0, 3.0, 6.0]), higher_is_better=False),
        difference(pair([1], [0])),
    ]
    assert intervals(found, 0.05) == [each.interval(0.05) for each in found]
    assert intervals([], 0.05) == []
