from __future__ import annotations

import random
import re

from mplus_eval.demo import reasoning
from mplus_eval.demo.arithmetic import final_answer
from mplus_eval.demo.words import DAYS

SEEDS = range(300)


def _each(make):
    return [make(random.Random(seed)) for seed in SEEDS]


def test_every_chain_ends_in_its_answer() -> None:
    for make in reasoning.CHAINS.values():
        for question in _each(make):
            assert re.search(r"So the answer is \w+\.$", question.answer)


def test_boolean_agrees_with_reading_from_left_to_right() -> None:
    for question in _each(reasoning.boolean):
        words = re.search(r"What is (.*)\?", question.prompt)[1].split()
        value = words.pop(0)
        if value == "not":
            value = "false" if words.pop(0) == "true" else "true"
        while words:
            operator, right = words.pop(0), words.pop(0)
            both, either = value == right == "true", "true" in (value, right)
            value = "true" if (both if operator == "and" else either) else "false"
        assert final_answer(question.answer) == value


def test_weekday_is_the_day_so_many_days_later() -> None:
    for question in _each(reasoning.weekday):
        start, days = re.search(r"Today is (\w+)\. \w+ leaves in (\d)", question.prompt).groups()
        assert final_answer(question.answer) == DAYS[(DAYS.index(start) + int(days)) % 7]


def test_multistep_agrees_with_arithmetic() -> None:
    for question in _each(reasoning.multistep):
        expression = re.search(r"What is ([\d +-]+)\?", question.prompt)[1]
        numbers = re.findall(r"[+-]?\d+", expression.replace(" ", ""))
        assert final_answer(question.answer) == str(sum(map(int, numbers)))
        assert int(final_answer(question.answer)) >= 0


def test_compass_agrees_with_turning() -> None:
    quarters = {"right": 1, "back": 2, "left": 3}
    for question in _each(reasoning.compass):
        start = re.search(r"faces (\w+)\.", question.prompt)[1]
        turns = re.findall(r"right|back|left", question.prompt)
        headings = ("north", "east", "south", "west")
        expected = headings[(headings.index(start) + sum(quarters[turn] for turn in turns)) % 4]
        assert final_answer(question.answer) == expected


def test_counting_counts_the_list() -> None:
    for question in _each(reasoning.counting):
        assert final_answer(question.answer) == str(len(re.findall(r"\ba \w+", question.prompt)))


def test_a_syllogism_follows_from_the_rule_about_the_job() -> None:
    for question in _each(reasoning.syllogism):
        job = re.search(r"\. \w+ is a (\w+)\.", question.prompt)[1]
        feeling = re.search(rf"Every {job} is (\w+)\.", question.prompt)[1]
        assert question.answer == f"The {job} is {feeling}"
        assert len({question.answer, *question.distractors}) == 4
