import numpy as np

from mplus_eval.statistics.flips import Flips, count_flips


def flips(before, after, first, second, wrong=0.0):
    return count_flips(before, after, np.array(first, dtype=object), np.array(second, dtype=object), wrong)


def test_right_and_wrong_answers_by_hand():
    found = flips([1, 1, 0, 0, 0], [1, 0, 1, 0, 0], list("AABBC"), list("ABABD"))
    assert found == Flips(lost=1, gained=1, wrong_to_other_wrong=1)


def test_graded_scores_count_as_lost_and_gained_by_any_amount():
    assert flips([0.5, 0.2, 1.0], [0.4, 0.9, 1.0], list("xyz"), list("uvw")) == Flips(1, 1, 0)


def test_a_missing_answer_is_no_other_answer():
    assert flips([0, 0], [0, 0], [None, "a"], ["b", None]) == Flips(0, 0, 0)


def test_where_lower_is_better_wrong_is_the_other_end():
    assert flips([-1, 0], [-1, 0], ["a", "a"], ["b", "b"], wrong=-1.0) == Flips(0, 0, 1)
