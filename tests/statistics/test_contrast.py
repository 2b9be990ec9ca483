import numpy as np
import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.contrast import Scale, contrasts, find_difference, rng_for
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.power import items_to_settle, smallest_provable
from tests.capability.outcomes import cell


def pair(before, after, **columns):
    cells = (ScoredItems.of(cell(list(scores), **columns), "acc,none") for scores in (before, after))
    return PairedItems.of(*cells)


def difference(items, **changes):
    return find_difference(items, **{"higher_is_better": True, "margin": 0.02, "generator": rng_for(0, "x"), **changes})


def test_scores_between_0_and_1_are_taken_as_they_are():
    assert Scale.of(np.array([0.2, 0.9]), np.array([0.0])) == Scale(0.0, 1.0)


def test_other_scores_are_measured_by_their_range():
    assert Scale.of(np.array([3.0, 9.0]), np.array([5.0, 11.0])) == Scale(3.0, 8.0)
    assert Scale.of(np.array([7.0]), np.array([7.0])) == Scale(7.0, 1.0)


def test_unit_of_the_scores_does_not_matter():
    rng = np.random.default_rng(0)
    before, after = rng.uniform(10, 20, 50), rng.uniform(10, 20, 50)
    one = difference(pair(before, after), margin=0.5)
    other = difference(pair(before * 100, after * 100), margin=50)
    assert other.interval(0.05) == pytest.approx(tuple(100 * end for end in one.interval(0.05)))
    assert other.p_value == one.p_value
    assert other.p_non_inferiority == pytest.approx(one.p_non_inferiority)


def test_lower_is_better_turns_interval_and_test():
    items = pair([0, 0, 1, 0, 1, 0] * 10, [0, 1, 1, 0, 1, 1] * 10)
    up, down = difference(items), difference(items, higher_is_better=False)
    assert down.value == pytest.approx(up.value)
    assert down.interval(0.05) == pytest.approx(up.interval(0.05))
    assert up.p_non_inferiority < 0.025 < down.p_non_inferiority


def test_no_discordant_pair_gives_an_interval_around_0():
    low, high = difference(pair([1, 0] * 20, [1, 0] * 20)).interval(0.05)
    assert low == pytest.approx(-high)
    assert high > 0.05


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


def test_chance_depends_on_names_and_seed_only():
    assert rng_for(1, "a", "b").random() == rng_for(1, "a", "b").random()
    assert rng_for(1, "a", "b").random() != rng_for(1, "ab").random()
    assert rng_for(1, "a", "b").random() != rng_for(2, "a", "b").random()
