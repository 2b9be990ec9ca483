"""Small puzzles that are worked out in steps, and puzzles whose answer is a sentence.

Q: Ann faces north. Ann turns right, then left. Where does Ann look?
A: Right of north is east. Left of east is north. So the answer is north.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from mplus_eval.demo.questions import Question, ask
from mplus_eval.demo.words import DAYS, FEELINGS, JOBS, NAMES, OBJECTS

_COMPASS = ("north", "east", "south", "west")
_TURNS = {"right": ("Right of", 1), "back": ("Behind", 2), "left": ("Left of", 3)}


def boolean(rng: random.Random) -> Question:
    """A logical expression with `not`, `and` and `or`, worked from left to right."""
    value = rng.random() < 0.5
    expression, steps = [_word(value)], []
    if rng.random() < 0.5:
        expression = ["not", _word(value)]
        steps.append(f"not {_word(value)} is {_word(not value)}.")
        value = not value
    for _ in range(rng.choice((2, 3))):
        operator, right = rng.choice(("and", "or")), rng.random() < 0.5
        result = (value and right) if operator == "and" else (value or right)
        expression += [operator, _word(right)]
        steps.append(f"{_word(value)} {operator} {_word(right)} is {_word(result)}.")
        value = result
    return _puzzle(f"What is {' '.join(expression)}?", steps, _word(value))


def weekday(rng: random.Random) -> Question:
    """The day some days after another, counted day by day."""
    start, n_days = rng.randrange(7), rng.randrange(1, 6)
    days = [DAYS[(start + offset) % 7] for offset in range(n_days + 1)]
    steps = [f"After {n} days it is {day}." for n, day in enumerate(days[1:], start=1)]
    name = rng.choice(NAMES)
    return _puzzle(
        f"Today is {days[0]}. {name} leaves in {n_days} days. On which day does {name} leave?", steps, days[-1]
    )


def multistep(rng: random.Random) -> Question:
    """Four to six numbers added and subtracted from left to right."""
    total = rng.randrange(2, 10)
    expression, steps = [str(total)], []
    for _ in range(rng.choice((3, 4, 5))):
        sign = "+" if total < 9 or (rng.random() < 0.5 and total < 12) else "-"
        amount = rng.randrange(1, 10)
        result = total + amount if sign == "+" else total - amount
        expression += [sign, str(amount)]
        steps.append(f"{total} {sign} {amount} = {result}.")
        total = result
    return _puzzle(f"What is {' '.join(expression)}?", steps, str(total))


def compass(rng: random.Random) -> Question:
    """Where someone looks after some turns."""
    name, heading = rng.choice(NAMES), rng.randrange(4)
    turns = [rng.choice(tuple(_TURNS)) for _ in range(rng.choice((2, 3, 4)))]
    start, steps = _COMPASS[heading], []
    for turn in turns:
        words, quarters = _TURNS[turn]
        before, heading = _COMPASS[heading], (heading + quarters) % 4
        steps.append(f"{words} {before} is {_COMPASS[heading]}.")
    asked = f"{name} faces {start}. {name} turns {', then '.join(turns)}. Where does {name} look?"
    return _puzzle(asked, steps, _COMPASS[heading])


def counting(rng: random.Random) -> Question:
    """How many things are in a list, counted one by one."""
    things = rng.sample(OBJECTS, rng.randrange(3, 10))
    name = rng.choice(NAMES)
    shown = ", ".join(f"a {thing}" for thing in things[:-1]) + f" and a {things[-1]}"
    steps = [f"{', '.join(f'{thing} {number}' for number, thing in enumerate(things, start=1))}."]
    return _puzzle(f"{name} has {shown}. How many things does {name} have?", steps, str(len(things)))


def syllogism(rng: random.Random) -> Question:
    """What follows from one of two rules and a case."""
    (job, other), name = rng.sample(JOBS, 2), rng.choice(NAMES)
    feeling, second, third, fourth = rng.sample(FEELINGS, 4)
    rules = [f"Every {job} is {feeling}.", f"Every {other} is {second}."]
    rng.shuffle(rules)
    wrong = [f"The {job} is {word}" for word in (second, third, fourth)]
    return ask(f"{' '.join(rules)} {name} is a {job}. How is {name}?", f"The {job} is {feeling}", wrong)


CHAINS: dict[str, Callable[[random.Random], Question]] = {
    "boolean": boolean,
    "weekday": weekday,
    "multistep": multistep,
    "compass": compass,
    "counting": counting,
}
"""The puzzles that are worked out in steps."""


def _word(value: bool) -> str:
    return "true" if value else "false"


def _puzzle(question: str, steps: list[str], answer: str) -> Question:
    return Question(f"Q: {question}\nA:", f"{' '.join(steps)} So the answer is {answer}.")
