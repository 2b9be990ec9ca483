from __future__ import annotations

import random

from mplus_eval.demo.questions import Question, ask, draw, is_held_out, others


def test_a_question_ends_where_its_answer_begins() -> None:
    question = ask("Where?", "there", ("here",))
    assert question.prompt == "Question: Where?\nAnswer:"
    assert question.text == "Question: Where?\nAnswer: there"


def test_others_never_hold_the_answer() -> None:
    assert sorted(others(random.Random(0), "b", ("a", "b", "c", "d", "b"))) == ["a", "c", "d"]


def test_drawing_keeps_to_its_side_of_the_line() -> None:
    rng = random.Random(0)
    texts = [draw(lambda rng: Question(str(rng.random()), ""), rng, held_out=True).prompt for _ in range(50)]
    assert all(is_held_out(text) for text in texts)
    assert not is_held_out(draw(lambda rng: Question(str(rng.random()), ""), rng).prompt)


def test_about_a_sixth_is_held_out() -> None:
    share = sum(is_held_out(str(number)) for number in range(6000)) / 6000
    assert 0.14 < share < 0.19
