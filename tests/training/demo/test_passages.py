from __future__ import annotations

import random
import re

import pytest

from mplus_eval.training.demo import passages
from mplus_eval.training.demo.questions import is_held_out
from mplus_eval.training.demo.world import make_world

SEEDS = range(200)


@pytest.mark.parametrize("make", [passages.day_out, passages.journey])
def test_every_question_has_four_different_choices(make) -> None:
    for seed in SEEDS:
        for question in make(random.Random(seed)).questions:
            assert len({question.answer, *question.distractors}) == 4


def test_the_last_word_of_an_answer_about_a_day_out_stands_in_the_text() -> None:
    for seed in SEEDS:
        passage = passages.day_out(random.Random(seed))
        assert all(question.answer.split()[-1] in passage.text for question in passage.questions)


def test_a_question_with_two_candidates_in_the_text_has_both_as_choices() -> None:
    for seed in SEEDS:
        passage = passages.journey(random.Random(seed))
        one, two = re.search(r"took a (\w+) and \w+ took a (\w+)\.", passage.text).groups()
        question = passage.questions[3]
        words = [choice.split()[-1] for choice in (question.answer, *question.distractors)]
        assert words[0] == one
        assert two in words


def test_a_journey_needs_the_facts_of_the_world() -> None:
    world = make_world()
    for seed in SEEDS:
        passage = passages.journey(random.Random(seed))
        land, person = re.search(r"the land of (\w+) they met (\w+)\.", passage.text).groups()
        answers = [question.answer for question in passage.questions[:3]]
        assert answers == [world.answer("capital", land), world.answer("good", land), world.answer("job", person)]
        assert not any(answer in passage.text for answer in answers)


def test_a_contest_is_counted_right() -> None:
    for seed in SEEDS:
        passage = passages.contest(random.Random(seed))
        (one, first), (two, second) = re.findall(r"(\w+) made (\d+) points", passage.text)
        high, low = max(int(first), int(second)), min(int(first), int(second))
        assert [question.answer for question in passage.questions][:5] == [
            f"{one} made {first} points",
            f"{two} made {second} points",
            f"{first} + {second} = {high + low} points",
            f"{high} - {low} = {high - low} points",
            f"{one if int(first) == high else two} won",
        ]


def test_passages_are_drawn_from_the_wanted_side() -> None:
    rng = random.Random(0)
    assert is_held_out(passages.draw_passage(passages.contest, rng, held_out=True).text)
    assert not is_held_out(passages.draw_passage(passages.contest, rng).text)
