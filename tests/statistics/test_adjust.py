import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from mplus_eval.statistics.adjust import holm


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling.
    found = holm({"a": 0.02, "b": 0.5, "c": 0.01, "d": 0.03})
    assert found == pytest.approx({"a": 0.06, "b": 0.5, "c": 0.04, "d": 0.06})


def test_one_question_needs_no_adjustment():
    assert holm({"a": 0.04}) == pytest.approx({"a": 0.04})


def test_no_question_has_no_answer():
    assert holm({}) == {}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_statsmodels_in_any_order(p_values):
    expected = multipletests(p_values, method="holm")[1]
    assert list(holm(dict(enumerate(p_values))).values()) == pytest.approx(list(expected))
