"""Rules of form, an answer at a time."""

import pytest

from mplus_eval.judges.form import form_score

PROMPT = "How do I get to the park from here in the morning?"


@pytest.mark.parametrize(
    ("answer", "ended", "score"),
    [
        ("Take the bus at nine.", True, 1.0),
        ("Take the bus at nine", True, 0.8),
        ("Take the bus at nine", False, 0.6),
        ("Take the bus at nine. Take the bus at nine. Take the bus at nine.", True, 0.8),
        ("no no no no no no no no no", False, 0.4),
        ("How do I get to the park?", True, 0.8),
        ("Take the bus.\nUser: And then?", True, 0.8),
        ("the park", True, 0.8),
        ("Yes!", True, 1.0),
        ("乗ってください。", True, 1.0),
        ("", True, 0.0),
        (" ... ", True, 0.0),
    ],
)
def test_an_answer_is_worth_the_share_of_rules_that_it_keeps(answer: str, ended: bool, score: float) -> None:
    assert form_score(PROMPT, answer, ended) == pytest.approx(score)


def test_a_prompt_of_a_word_is_no_echo_of_everything() -> None:
    assert form_score("Hello", "Hello to you, my friend.", True) == 1.0
