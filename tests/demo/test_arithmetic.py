from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest

from mplus_eval.demo.arithmetic import LARGEST, calculation, equation, final_answer, largest, series, word_problem

SEEDS = range(300)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


@pytest.mark.parametrize("make", [calculation, series, largest, equation, word_problem])
def test_no_number_is_larger_than_the_vocabulary_holds(make) -> None:
    for seed in SEEDS:
        question = make(random.Random(seed))
        assert max(_numbers(" ".join([question.text, *question.distractors]))) <= LARGEST


def test_calculations_are_right() -> None:
    for seed in SEEDS:
        question = calculation(random.Random(seed))
        left, sign, right, _ = question.prompt.split()
        expected = int(left) + int(right) if sign == "+" else int(left) - int(right)
        assert question.answer == str(expected)


def test_a_series_goes_on_by_equal_steps() -> None:
    for seed in SEEDS:
        question = series(random.Random(seed))
        numbers = _numbers(question.text)
        assert len({later - earlier for earlier, later in pairwise(numbers)}) == 1
        assert len({question.answer, *question.distractors}) == 4


def test_the_largest_and_smallest_are_right() -> None:
    for seed in SEEDS:
        question = largest(random.Random(seed))
        choose = max if "largest" in question.prompt else min
        assert question.answer == f"the number {choose(_numbers(question.prompt))}"


def test_only_the_answer_is_a_true_equation() -> None:
    def is_true(text: str) -> bool:
        left, sign, right, _, result = text.split()
        return int(result) == (int(left) + int(right) if sign == "+" else int(left) - int(right))

    for seed in SEEDS:
        question = equation(random.Random(seed))
        assert is_true(question.answer)
        assert not any(is_true(wrong) for wrong in question.distractors)
        assert len(set(question.distractors)) == 3


def test_a_word_problem_follows_from_its_story() -> None:
    for seed in SEEDS:
        question = word_problem(random.Random(seed))
        total = 0
        for verb, amount in re.findall(r"(has|finds|buys|loses|sells) (\d+)", question.prompt):
            total += -int(amount) if verb in ("loses", "sells") else int(amount)
        assert final_answer(question.answer) == str(total)
        assert question.answer.endswith(f"The answer is {total}.")


def test_the_steps_of_a_word_problem_are_true_sums() -> None:
    for seed in SEEDS:
        for left, sign, right, result in re.findall(
            r"(\d+) ([+-]) (\d+) = (\d+)", word_problem(random.Random(seed)).answer
        ):
            assert int(result) == (int(left) + int(right) if sign == "+" else int(left) - int(right))
