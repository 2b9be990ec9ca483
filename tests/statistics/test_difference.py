import numpy as np
import pytest

from mplus_eval.statistics.difference import Scale, find_difference, rng_for
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
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


def test_chance_depends_on_names_and_seed_only():
    assert rng_for(1, "a", "b").random() == rng_for(1, "a", "b").random()
    assert rng_for(1, "a", "b").random() != rng_for(1, "ab").random()
    assert rng_for(1, "a", "b").random() != rng_for(2, "a", "b").random()
