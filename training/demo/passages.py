"""Short passages with several questions each: looked up, combined with a fact of the world, or counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from mplus_eval.training.demo.questions import Question, is_held_out, others
from mplus_eval.training.demo.words import COLOURS, FEELINGS, FOODS, NAMES, OBJECTS, PLACES
from mplus_eval.training.demo.world import Fact, make_world

Asked = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Passage:
    """A text and the questions about it, in the prompt form `text, Question: …, Answer:`."""

    text: str
    questions: tuple[Question, ...]


def day_out(rng: random.Random) -> Passage:
    """A day of two friends; every answer repeats a clause of the text."""
    (one, two), (place, second) = rng.sample(NAMES, 2), rng.sample(PLACES, 2)
    colour, thing, food, feeling = rng.choice(COLOURS), rng.choice(OBJECTS), rng.choice(FOODS), rng.choice(FEELINGS)
    start = rng.choice(("One day", "In the morning", "After school"))
    sentences = (
        f"{start} {one} went to the {place} with a {colour} {thing}.",
        f"There {one} met {two}, and {two} was very {feeling}.",
        f"They ate some {food} and later they walked to the {second}.",
    )
    questions = (
        (f"Where did {one} go?", f"{one} went to the", place, PLACES, second),
        (f"Whom did {one} meet?", f"{one} met", two, NAMES, one),
        (f"How was {two}?", f"{two} was very", feeling, FEELINGS, ""),
        ("What did they eat?", "They ate some", food, FOODS, ""),
        (f"What did {one} have?", f"{one} had a", f"{colour} {thing}", _coloured(thing), ""),
        ("Where did they walk later?", "They walked to the", second, PLACES, place),
    )
    return _passage(" ".join(sentences), [_clause(rng, *question) for question in questions])


def journey(rng: random.Random) -> Passage:
    """A traveller and a friend abroad; some questions need what the world says about the land and the people."""
    world = make_world()
    (one, two), thing, other_thing = rng.sample(NAMES, 2), *rng.sample(OBJECTS, 2)
    capital, job = rng.choice(_known("capital")), rng.choice(_known("job"))
    good = world.answer("good", capital.entity)
    feeling, second = rng.sample(FEELINGS, 2)
    sentences = (
        f"Last summer {one} and {two} went on a long journey.",
        f"{one} took a {thing} and {two} took a {other_thing}.",
        f"In the land of {capital.entity} they met {job.entity}.",
        f"On the way back {one} was very {feeling}, but {two} was very {second}.",
    )
    goods = [fact.answer for fact in world.of("good")]
    questions = [
        (
            "What is the capital of the land they saw?",
            capital.answer,
            others(rng, capital.answer, capital.relation.answers),
        ),
        ("What does the land they saw sell?", good, others(rng, good, goods)),
        ("What is the job of the one they met?", job.answer, others(rng, job.answer, job.relation.answers)),
        _clause(rng, f"What did {one} take?", f"{one} took a", thing, OBJECTS, other_thing),
        _clause(rng, f"What did {two} take?", f"{two} took a", other_thing, OBJECTS, thing),
        _clause(rng, f"How was {one} on the way back?", f"{one} was very", feeling, FEELINGS, second),
        _clause(rng, f"How was {two} on the way back?", f"{two} was very", second, FEELINGS, feeling),
    ]
    return _passage(" ".join(sentences), questions)


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
    made = (Question(f"{text}\nQuestion: {asked}\nAnswer:", answer, wrong) for asked, answer, wrong in questions)
    return Passage(text, tuple(made))


@cache
def _known(relation: str) -> tuple[Fact, ...]:
    """The facts of a relation that are not rare."""
    return make_world().of(relation, frequency=("common", "occasional"))


def _clause(rng: random.Random, asked: str, start: str, answer: str, pool: Sequence[str], near: str) -> Asked:
    """A question answered by a clause; a word of the text that is `near` the answer is among the wrong ones."""
    far = others(rng, answer, [word for word in pool if word != near], 2 if near in pool else 3)
    wrong = (near, *far) if near in pool else far
    return asked, f"{start} {answer}", tuple(f"{start} {word}" for word in wrong)


def _coloured(thing: str) -> tuple[str, ...]:
    return tuple(f"{colour} {thing}" for colour in COLOURS)
