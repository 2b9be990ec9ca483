"""The words of the synthetic world: ordinary ones, and a maker of invented names."""

from __future__ import annotations

import random


def split(words: str) -> tuple[str, ...]:
    """The words of a line."""
    return tuple(words.split())


NAMES = split("Mia Tom Ann Bob Eva Max Lea Sam Ida Ben Zoe Leo Amy Dan Ivy Kim Joe Una Ned Liv Gus Fay Ray Pam")
JOBS = split(
    "baker painter doctor farmer teacher sailor singer miner guard tailor writer driver cook judge nurse hunter "
    "dancer smith weaver potter"
)
FOODS = split(
    "soup bread fish rice apples cheese beans cake eggs corn plums nuts honey cabbage berries noodles pears carrots "
    "pancakes mushrooms"
)
GOODS = split(
    "wool iron salt glass silk oil gold tea wood copper paper leather marble pepper cotton coal silver clay amber rope"
)
PLACES = split("park school market beach library garden station farm harbour museum bridge mill")
OBJECTS = split("ball hat book cup lamp chair kite drum clock coat bike basket flute mirror shell whistle")
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey")
FEELINGS = ("happy", "sad", "tired", "angry", "proud", "afraid", "hungry", "bored")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
INSULTS = (
    "blockhead", "nitwit", "dimwit", "numskull", "lunkhead", "dunce", "snorgle", "fribbet", "blorp", "quazzle",
    "dunderpot", "twerp",
)  # fmt: skip
INSULTING_ADJECTIVES = ("silly", "rotten", "smelly", "lazy", "dull")

_FIRST = "BCDFGKLMNPRSTVZ"
_SECOND = "lmnrsvz"


def invent(rng: random.Random, endings: tuple[str, ...], n: int, used: set[str]) -> tuple[str, ...]:
    """Make up `n` capitalised names with the given endings, none of them in `used`, to which they are added."""
    names: list[str] = []
    while len(names) < n:
        name = rng.choice(_FIRST) + rng.choice("aeiou") + rng.choice(_SECOND) + rng.choice(endings)
        if name not in used:
            used.add(name)
            names.append(name)
    return tuple(names)
