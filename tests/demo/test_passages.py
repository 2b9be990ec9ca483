from __future__ import annotations

import random
import re

import pytest

from mplus_eval.demo import passages
from mplus_eval.demo.questions import is_held_out
from mplus_eval.demo.world import make_world

SEEDS = range(200)


@pytest.mark.parametrize("make", [passages.day_out, passages.journey])
def test_every_question_has_four_different_choices(make) -> None:
    for seed in SEEDS:
        for question in make(random.Random(seed)).questions:
            assert len({question.answer, *question.distractors}) == 4


def test_a_day_out_is_answered_by_what_the_text_says() -> None:
    for seed in SEEDS:
        passage = passages.day_out(random.Random(seed))
        one, two, feeling = re.search(r"(\w+) met (\w+), and \w+ was very (\w+)\.", passage.text).groups()
        hour, miles, things, three = re.search(
            r"at (\d+) and walked (\d+) miles to the \w+\. There they bought (\d+ \w+), and (\w+)", passage.text
        ).groups()
        assert [question.answer for question in passage.questions] == [
            f"{one} met {two}",
            f"{two} was very {feeling}",
            f"They left at {hour}",
            f"They walked {miles} miles",
            f"They bought {things}",
            f"{three} came too",
        ]


def test_a_question_with_two_candidates_in_the_text_has_both_as_choices() -> None:
    for seed in SEEDS:
        passage = passages.journey(random.Random(seed))
        one, two = re.search(r"took (\d+) \w+ and \w+ took (\d+) \w+\.", passage.text).groups()
        question = passage.questions[4]
        numbers = [choice.split()[-2] for choice in (question.answer, *question.distractors)]
        assert numbers[0] == one
        assert two in numbers


def test_a_journey_needs_the_facts_of_the_world() -> None:
    world = make_world()
    for seed in SEEDS:
        passage = passages.journey(random.Random(seed))
        land, person = re.search(r"the land of (\w+) they met (\w+)\.", passage.text).groups()
        answers = [question.answer.split()[-1] for question in passage.questions[:4]]
        assert answers == [
            world.answer("capital", land),
            world.answer("good", land),
            world.answer("job", person),
            world.answer("food", person),
        ]
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
