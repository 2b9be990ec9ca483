"""Numbers: sums, series, comparisons and word problems worked out step by step."""

from __future__ import annotations

import random

from mplus_eval.demo.questions import Question, ask
from mplus_eval.demo.words import NAMES, OBJECTS

LARGEST = 40
_THINGS = tuple(f"{thing}s" for thing in OBJECTS[:8])


def calculation(rng: random.Random) -> Question:
    """A sum or a difference of two numbers up to 12."""
    left, right = rng.randrange(13), rng.randrange(13)
    if rng.random() < 0.5:
        return Question(f"{left} + {right} =", str(left + right))
    left, right = max(left, right), min(left, right)
    return Question(f"{left} - {right} =", str(left - right))


def series(rng: random.Random) -> Question:
    """The two numbers that continue a series of equal steps, up or down."""
    step, n_shown = rng.choice((1, 2, 3, 4)), rng.choice((3, 4, 5))
    start = rng.randrange(LARGEST - step * (n_shown + 1))
    numbers = [start + step * index for index in range(n_shown + 2)]
    if rng.random() < 0.5:
        numbers.reverse()
    *shown, first, second = numbers
    near = [(first + a, second + b) for a, b in ((1, 1), (-1, -1), (0, 1), (1, 2), (0, -1), (2, 2))]
    wrong = [f"{a}, {b}" for a, b in near if 0 <= a <= LARGEST and 0 <= b <= LARGEST]
    asked = f"How does the series go on: {', '.join(map(str, shown))}?"
    return ask(asked, f"{first}, {second}", rng.sample(wrong, 3))


def largest(rng: random.Random) -> Question:
    """The largest or smallest of four numbers."""
    numbers = rng.sample(range(21), 4)
    word, answer = rng.choice((("largest", max(numbers)), ("smallest", min(numbers))))
    wrong = [f"the number {number}" for number in numbers if number != answer]
    return ask(f"Which number is the {word}: {', '.join(map(str, numbers))}?", f"the number {answer}", wrong)


def equation(rng: random.Random) -> Question:
    """The one true equation among four with the same left side."""
    left, sign, right, _, result = calculation(rng).text.split()
    near = (int(result) + offset for offset in (-3, -2, -1, 1, 2, 3))
    wrong = rng.sample([number for number in near if number >= 0], 3)
    start = f"{left} {sign} {right} ="
    return ask(
        f"{rng.choice(NAMES)} wants to know {left} {sign} {right}. What is true?",
        f"{start} {result}",
        [f"{start} {number}" for number in wrong],
    )


def word_problem(rng: random.Random) -> Question:
    """A small story with numbers, worked out in one to three steps that end in `The answer is …`."""
    name, thing = rng.choice(NAMES), rng.choice(_THINGS)
    total = rng.randrange(2, 13)
    story, steps = [f"{name} has {total} {thing}."], []
    for _ in range(rng.choice((1, 2, 3))):
        sign, verb = rng.choice((("+", "finds"), ("+", "buys"), ("-", "loses"), ("-", "sells")))
        amount = rng.randrange(1, 10) if sign == "+" else rng.randrange(1, min(total, 9) + 1)
        result = total + amount if sign == "+" else total - amount
        story.append(f"{name} {verb} {amount} {thing}.")
        steps.append(f"{total} {sign} {amount} = {result}.")
        total = result
        if total == 0:
            break
    asked = f"How many {thing} does {name} have now?"
    return Question(f"Q: {' '.join(story)} {asked}\nA:", f"{' '.join(steps)} The answer is {total}.")


def final_answer(text: str) -> str:
    """What stands after `the answer is`, without the full stop."""
    return text.rpartition("answer is ")[2].rstrip(".")
