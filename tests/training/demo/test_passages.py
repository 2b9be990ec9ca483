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


def test_a_day_out_is_answered_by_words_of_the_text() -> None:
    for seed in SEEDS:
        passage = passages.day_out(random.Random(seed))
        assert all(question.answer in passage.text for question in passage.questions)


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
        answers = [question.answer for question in passage.questions]
        total, lead = str(int(first) + int(second)), str(abs(int(first) - int(second)))
        winner = one if int(first) > int(second) else two
        assert answers[:6] == [first, second, total, lead, winner, f"{one} and {two}"]


def test_passages_are_drawn_from_the_wanted_side() -> None:
    rng = random.Random(0)
    assert is_held_out(passages.draw_passage(passages.contest, rng, held_out=True).text)
    assert not is_held_out(passages.draw_passage(passages.contest, rng).text)
