import pytest

from mplus_eval.training.diversity import distinct_n, share_distinct


def test_distinct_2_by_hand():
    assert distinct_n([["the", "cat", "sat", "on", "the", "cat"]], 2) == pytest.approx(4 / 5)


def test_repetition_across_answers_counts():
    assert distinct_n([[1, 2, 3], [1, 2, 3]], 2) == pytest.approx(0.5)


def test_no_n_gram_spans_two_answers():
    assert distinct_n([[1, 2], [1, 2], [2, 1]], 2) == pytest.approx(2 / 3)


def test_distinct_1_by_hand():
    assert distinct_n([[1, 1, 1, 2]], 1) == pytest.approx(0.5)


@pytest.mark.parametrize("answers", [[], [[]], [[1], [1]]])
def test_nothing_is_repeated_where_no_n_gram_is(answers):
    assert distinct_n(answers, 2) == 1.0


def test_share_of_distinct_answers():
    assert share_distinct(["sorry", "sorry", "no", "sorry"]) == pytest.approx(0.5)
