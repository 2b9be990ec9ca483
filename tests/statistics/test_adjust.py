from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from mplus_eval.statistics.adjust import holm, one_before, step_down
from mplus_eval.statistics.hypothesis_tests import mcnemar_test


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling.
    found = holm({"a": 0.02, "b": 0.5, "c": 0.01, "d": 0.03})
    assert found == pytest.approx({"a": 0.06, "b": 0.5, "c": 0.04, "d": 0.06})


def test_one_question_needs_no_adjustment():
    assert holm({"a": 0.04}) == pytest.approx({"a": 0.04})


def test_no_question_has_no_answer():
    assert holm({}) == {}


# statsmodels collects garbage at every call, which takes a tenth of a second beside torch.
@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels_in_any_order(p_values):
    expected = multipletests(p_values, method="holm")[1]
    assert list(holm(dict(enumerate(p_values))).values()) == pytest.approx(list(expected))


def test_a_test_that_cannot_give_as_small_a_p_value_costs_the_others_nothing():
    # Seven lost of seven: 2/128. Three of three cannot give less than 2/8, five of five no less than 2/32.
    found = step_down({"seven": mcnemar_test(7, 0), "three": mcnemar_test(3, 0), "five": mcnemar_test(4, 1)})
    assert found["seven"] == pytest.approx(2 / 128)
    # Three of three is 2/8, below which five pairs can give 2/32; four of five is 2 · 6/32, and nothing is left then.
    assert found["three"] == pytest.approx(2 / 8 + 2 / 32)
    assert found["five"] == pytest.approx(12 / 32)


@pytest.mark.parametrize("differing", [(7, 7, 9), (4, 9, 13), (1, 20, 7)])
def test_the_chance_of_one_false_finding_is_held_by_enumeration(differing):
    found = 0.0
    for lost in product(*(range(n + 1) for n in differing)):
        tests = {task: mcnemar_test(b, n - b) for task, (b, n) in enumerate(zip(lost, differing, strict=True))}
        chance = np.prod([binom.pmf(b, n, 0.5) for b, n in zip(lost, differing, strict=True)])
        found += chance * (min(step_down(tests).values()) < 0.05)
    assert 0.0 < found <= 0.05


@pytest.mark.parametrize("false", [(0, 1), (1, 2), (0, 2)])
def test_it_is_held_too_where_some_differences_are_true(false):
    differing = (8, 8, 12)
    found = 0.0
    for lost in product(*(range(n + 1) for n in differing)):
        tests = {task: mcnemar_test(b, n - b) for task, (b, n) in enumerate(zip(lost, differing, strict=True))}
        chance = np.prod(
            [
                binom.pmf(b, n, 0.5 if task in false else 0.95)
                for task, (b, n) in enumerate(zip(lost, differing, strict=True))
            ]
        )
        adjusted = step_down(tests)
        found += chance * any(adjusted[task] < 0.05 for task in false)
    assert found <= 0.05


def test_a_fixed_sequence_asks_the_others_only_where_the_first_is_settled():
    assert one_before("first", {"a": 0.001, "b": 0.2}, 0.03) == {"first": 0.03, "a": 0.03, "b": 0.2}
