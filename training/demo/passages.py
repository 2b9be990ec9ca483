"""Short passages with several questions each: looked up, combined with a fact of the world, or counted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from mplus_eval.training.demo.questions import Question, is_held_out, others
from mplus_eval.training.demo.words import COLOURS, FEELINGS, FOODS, NAMES, OBJECTS, PLACES
from mplus_eval.training.demo.world import make_world


@dataclass(frozen=True)
class Passage:
    """A text and the questions about it, in the prompt form `text, Question: …, Answer:`."""

    text: str
    questions: tuple[Question, ...]


def day_out(rng: random.Random) -> Passage:
    """A day of two friends; every question is answered by a word of the text."""
    (one, two), (place, second) = rng.sample(NAMES, 2), rng.sample(PLACES, 2)
    colour, thing, food, feeling = rng.choice(COLOURS), rng.choice(OBJECTS), rng.choice(FOODS), rng.choice(FEELINGS)
    start = rng.choice(("One day", "In the morning", "After school"))
    sentences = (
        f"{start} {one} went to the {place} with a {colour} {thing}.",
        f"There {one} met {two}, who was very {feeling}.",
        f"They ate some {food} and then went on to the {second}.",
    )
    questions = (
        (f"Where did {one} go first?", f"to the {place}", _to(rng, place, PLACES, second)),
        (f"Whom did {one} meet?", two, others(rng, two, [name for name in NAMES if name != one])),
        (f"How was {two}?", feeling, others(rng, feeling, FEELINGS)),
        ("What did they eat?", food, others(rng, food, FOODS)),
        (f"What did {one} have?", f"a {colour} {thing}", _coloured(rng, colour, thing)),
        ("Where did they go in the end?", f"to the {second}", _to(rng, second, PLACES, place)),
    )
    return _passage(" ".join(sentences), questions)


def journey(rng: random.Random) -> Passage:
    """A traveller and a friend abroad; some questions need what the world says about the land and the people."""
    world = make_world()
    (one, two), thing, other_thing = rng.sample(NAMES, 2), *rng.sample(OBJECTS, 2)
    capital = rng.choice(world.of("capital", frequency=("common", "occasional")))
    job = rng.choice(world.of("job", frequency=("common", "occasional")))
    good = world.answer("good", capital.entity)
    feeling, second = rng.sample(FEELINGS, 2)
    sentences = (
        f"Last summer {one} and {two} went on a long journey.",
        f"{one} took a {thing} and {two} took a {other_thing}.",
        f"In the land of {capital.entity} they met {job.entity}.",
        f"On the way back {one} was {feeling}, but {two} was {second}.",
    )
    questions = (
        (
            "What is the capital of the land they saw?",
            capital.answer,
            others(rng, capital.answer, capital.relation.answers),
        ),
        ("What is made in the land they saw?", good, others(rng, good, [fact.answer for fact in world.of("good")])),
        ("What is the job of the one they met?", job.answer, others(rng, job.answer, job.relation.answers)),
        (f"What did {one} take?", f"a {thing}", _a(rng, thing, other_thing)),
        (f"What did {two} take?", f"a {other_thing}", _a(rng, other_thing, thing)),
        (
            f"How was {one} on the way back?",
            feeling,
            (second, *others(rng, feeling, [f for f in FEELINGS if f != second], 2)),
        ),
        (
            f"How was {two} on the way back?",
            second,
            (feeling, *others(rng, second, [f for f in FEELINGS if f != feeling], 2)),
        ),
    )
    return _passage(" ".join(sentences), questions)


def contest(rng: random.Random) -> Passage:
    """A game between two players, with numbers to look up, add and subtract. Answers have no wrong alternatives."""
    (one, two), place, thing = rng.sample(NAMES, 2), rng.choice(PLACES), rng.choice(OBJECTS)
    first, second = rng.sample(range(1, 13), 2)
    winner = one if first > second else two
    sentences = (
        f"{one} and {two} played a game at the {place}.",
        f"{one} made {first} points and {two} made {second} points.",
        f"The winner got a {thing}.",
    )
    questions = (
        (f"How many points did {one} make?", str(first), ()),
        (f"How many points did {two} make?", str(second), ()),
        ("How many points did they make together?", str(first + second), ()),
        ("How many more points did the winner make?", str(abs(first - second)), ()),
        ("Who was the winner?", winner, ()),
        ("Who played?", f"{one} and {two}", ()),
        ("Where did they play and for what?", f"at the {place} for a {thing}", ()),
    )
    return _passage(" ".join(sentences), questions)


def draw_passage(make: Callable[[random.Random], Passage], rng: random.Random, *, held_out: bool = False) -> Passage:
    """Make passages until one lies on the wanted side of the line between text and evaluation."""
    while True:
        passage = make(rng)
        if is_held_out(passage.text) == held_out:
            return passage


def _passage(text: str, questions: tuple[tuple[str, str, tuple[str, ...]], ...]) -> Passage:
    made = (Question(f"{text}\nQuestion: {asked}\nAnswer:", answer, wrong) for asked, answer, wrong in questions)
    return Passage(text, tuple(made))


def _to(rng: random.Random, answer: str, pool: tuple[str, ...], near: str) -> tuple[str, ...]:
    far = others(rng, answer, [word for word in pool if word != near], 2)
    return tuple(f"to the {word}" for word in (near, *far))


def _a(rng: random.Random, answer: str, near: str) -> tuple[str, ...]:
    far = others(rng, answer, [word for word in OBJECTS if word != near], 2)
    return tuple(f"a {word}" for word in (near, *far))


def _coloured(rng: random.Random, colour: str, thing: str) -> tuple[str, ...]:
    second, third = others(rng, colour, COLOURS, 2)
    other = others(rng, thing, OBJECTS, 1)[0]
    return (f"a {second} {thing}", f"a {colour} {other}", f"a {third} {other}")
