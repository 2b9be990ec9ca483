"""Short passages with several questions each: looked up, combined with a fact of the world, or counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from mplus_eval.demo.questions import Question, is_held_out, others
from mplus_eval.demo.words import FEELINGS, NAMES, OBJECTS, PLACES
from mplus_eval.demo.world import Fact, make_world

_NUMBERS = tuple(str(number) for number in range(2, 13))
Asked = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Passage:
    """A text and the questions about it, in the prompt form `text, Question: …, Answer:`."""

    text: str
    questions: tuple[Question, ...]


def day_out(rng: random.Random) -> Passage:
    """A day of some friends; every answer repeats a clause of the text."""
    (one, two, three), thing = rng.sample(NAMES, 3), rng.choice(OBJECTS)
    place, feeling = rng.choice(PLACES), rng.choice(FEELINGS)
    hour, n_miles, n_things = (str(number) for number in rng.sample(range(2, 13), 3))
    start = rng.choice(("One day", "In the morning", "After school"))
    sentences = (
        f"{start} {one} met {two}, and {two} was very {feeling}.",
        f"They left at {hour} and walked {n_miles} miles to the {place}.",
        f"There they bought {n_things} {thing}s, and {three} came too.",
    )
    questions = (
        (f"Whom did {one} meet?", f"{one} met {{}}", two, NAMES, three),
        (f"How was {two}?", f"{two} was very {{}}", feeling, FEELINGS, ""),
        ("When did they leave?", "They left at {}", hour, _NUMBERS, n_things),
        ("How far did they walk?", "They walked {} miles", n_miles, _NUMBERS, hour),
        (f"How many {thing}s did they buy?", f"They bought {{}} {thing}s", n_things, _NUMBERS, n_miles),
        ("Who came too?", "{} came too", three, NAMES, one),
    )
    return _passage(" ".join(sentences), [_clause(rng, *question) for question in questions])


def journey(rng: random.Random) -> Passage:
    """Two travellers abroad; some questions need what the world says about the land and the one they met."""
    world = make_world()
    (one, two), thing = rng.sample(NAMES, 2), rng.choice(OBJECTS)
    n_one, n_two = (str(number) for number in rng.sample(range(2, 13), 2))
    feeling, second = rng.sample(FEELINGS, 2)
    capital, job = rng.choice(_facts_not_rare("capital")), rng.choice(_facts_not_rare("job"))
    land, person = capital.entity, job.entity
    sentences = (
        f"Last summer {one} and {two} went on a long journey.",
        f"{one} took {n_one} {thing}s and {two} took {n_two} {thing}s.",
        f"{one} was very {feeling}, but {two} was very {second}.",
        f"In the land of {land} they met {person}.",
    )
    questions = (
        (
            "What is the capital of the land they saw?",
            f"The capital of {land} is {{}}",
            capital.answer,
            _answers("capital"),
            "",
        ),
        (
            "What does the land they saw sell?",
            f"The land of {land} sells {{}}",
            world.answer("good", land),
            _answers("good"),
            "",
        ),
        (
            "What is the job of the one they met?",
            f"The job of {person} is that of a {{}}",
            job.answer,
            _answers("job"),
            "",
        ),
        (
            "What does the one they met like to eat?",
            f"At home {person} eats {{}}",
            world.answer("food", person),
            _answers("food"),
            "",
        ),
        (f"How many {thing}s did {one} take?", f"{one} took {{}} {thing}s", n_one, _NUMBERS, n_two),
        (f"How many {thing}s did {two} take?", f"{two} took {{}} {thing}s", n_two, _NUMBERS, n_one),
        (f"How was {one}?", f"{one} was very {{}}", feeling, FEELINGS, second),
        (f"How was {two}?", f"{two} was very {{}}", second, FEELINGS, feeling),
    )
    return _passage(" ".join(sentences), [_clause(rng, *question) for question in questions])


def contest(rng: random.Random) -> Passage:
    """A game between two players, with numbers to look up, add and subtract. Answers have no wrong alternatives."""
    (one, two), place, thing = rng.sample(NAMES, 2), rng.choice(PLACES), rng.choice(OBJECTS)
    first, second = rng.sample(range(1, 13), 2)
    winner, more, less = (one, first, second) if first > second else (two, second, first)
    sentences = (
        f"{one} and {two} played a game at the {place}.",
        f"{one} made {first} points and {two} made {second} points.",
        f"The winner got a {thing}.",
    )
    questions = [
        (f"How many points did {one} make?", f"{one} made {first} points", ()),
        (f"How many points did {two} make?", f"{two} made {second} points", ()),
        ("How many points did they make together?", f"{first} + {second} = {first + second} points", ()),
        ("How many more points did the winner make?", f"{more} - {less} = {more - less} points", ()),
        ("Who won?", f"{winner} won", ()),
        ("What did the winner get?", f"The winner got a {thing}", ()),
        ("Where did they play?", f"They played at the {place}", ()),
    ]
    return _passage(" ".join(sentences), questions)


def draw_passage(make: Callable[[random.Random], Passage], rng: random.Random, *, held_out: bool = False) -> Passage:
    """Make passages until one lies on the wanted side of the line between text and evaluation."""
    while True:
        passage = make(rng)
        if is_held_out(passage.text) == held_out:
            return passage


def _passage(text: str, questions: Sequence[Asked]) -> Passage:
    return Passage(
        text,
        tuple(Question(f"{text}\nQuestion: {asked}\nAnswer:", answer, wrong) for asked, answer, wrong in questions),
    )


@cache
def _facts_not_rare(relation: str) -> tuple[Fact, ...]:
    """The facts of a relation that the text mentions more than a few times."""
    return make_world().of(relation, frequency=("common", "occasional"))


def _clause(rng: random.Random, asked: str, clause: str, answer: str, pool: Sequence[str], near: str) -> Asked:
    """A question answered by a clause with a gap; a word of the text that is `near` the answer is a wrong choice."""
    far = others(rng, answer, [word for word in pool if word != near], 2 if near else 3)
    wrong = (near, *far) if near else far
    return asked, clause.format(answer), tuple(clause.format(word) for word in wrong)


@cache
def _answers(relation: str) -> tuple[str, ...]:
    return tuple(fact.answer for fact in make_world().of(relation))
