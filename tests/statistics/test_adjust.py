import pytest

from mplus_eval.statistics.adjust import holm


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling.
    found = holm({"a": 0.02, "b": 0.5, "c": 0.01, "d": 0.03})
    assert found == pytest.approx({"a": 0.06, "b": 0.5, "c": 0.04, "d": 0.06})


def test_one_question_needs_no_adjustment():
    assert holm({"a": 0.04}) == pytest.approx({"a": 0.04})


def test_no_question_has_no_answer():
    assert holm({}) == {}
