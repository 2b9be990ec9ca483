"""Everyday life: what happens next, what a thing is for, and who is meant by a second clause."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from mplus_eval.demo.questions import Question, ask, others
from mplus_eval.demo.words import NAMES

SITUATIONS = (
    ("It was raining, so {name}", "took an umbrella and went out"),
    ("The room was dark, so {name}", "lit the old lamp"),
    ("The floor was dirty, so {name}", "took a broom and swept it"),
    ("It was very cold, so {name}", "put on a warm coat"),
    ("The bus was late, so {name}", "had to walk to school"),
    ("The door was locked, so {name}", "looked for the key"),
    ("The letter was ready, so {name}", "put a stamp on it"),
    ("The garden was dry, so {name}", "gave the plants some water"),
    ("The baby was asleep, so {name}", "spoke in a low voice"),
    ("The soup was too hot, so {name}", "waited for a while"),
    ("The music was good, so {name}", "began to dance"),
    ("The joke was funny, so {name}", "laughed for a long time"),
    ("The shoes were wet, so {name}", "put them near the fire"),
    ("The bread was old, so {name}", "fed it to the birds"),
    ("The clock had stopped, so {name}", "asked a man for the time"),
    ("The boat had a hole, so {name}", "swam back to the beach"),
    ("The cat was hungry, so {name}", "gave it a little fish"),
    ("The window was broken, so {name}", "bought a new glass"),
    ("The hill was steep, so {name}", "pushed the bike to the top"),
    ("The book was sad, so {name}", "began to cry"),
    ("The shop was closed, so {name}", "came back the next day"),
    ("The bag was heavy, so {name}", "asked a friend for help"),
    ("The milk was sour, so {name}", "threw it away"),
    ("The tree was full of plums, so {name}", "fetched a long ladder"),
    ("The lake was frozen, so {name}", "skated to the other side"),
    ("The tooth hurt, so {name}", "went to see a doctor"),
    ("The wind was strong, so {name}", "held on to the hat"),
    ("The wall was grey, so {name}", "painted it yellow"),
    ("The coin was old, so {name}", "showed it to the museum"),
    ("The horse was tired, so {name}", "let it rest in the shade"),
    ("The pot was empty, so {name}", "cooked some more beans"),
    ("The road was blocked, so {name}", "drove over the bridge"),
    ("The test was near, so {name}", "read the book again"),
    ("The hair was long, so {name}", "cut it with scissors"),
    ("The guests were coming, so {name}", "baked a big cake"),
    ("The dog was lost, so {name}", "called its name in the street"),
    ("The river was high, so {name}", "stayed on the safe side"),
    ("The pen was dry, so {name}", "wrote with a pencil"),
    ("The tea was bitter, so {name}", "put some honey in it"),
    ("The roof was leaking, so {name}", "put a bucket under it"),
)
"""How a day goes on: an opening and its ending, the common ones first."""

TOOLS = (
    ("cut bread", "a sharp knife"),
    ("hit a nail", "a heavy hammer"),
    ("sweep the floor", "a long broom"),
    ("open a lock", "a small key"),
    ("write a letter", "a good pen"),
    ("eat soup", "a round spoon"),
    ("dig a hole", "an iron shovel"),
    ("cross a river", "a wooden boat"),
    ("tell the time", "an old clock"),
    ("carry books", "a strong bag"),
    ("boil water", "a deep pot"),
    ("dry your hands", "a clean towel"),
    ("catch fish", "a wide net"),
    ("light a room", "a bright lamp"),
    ("climb a wall", "a tall ladder"),
    ("cut paper", "thin scissors"),
    ("sew a shirt", "a fine needle"),
    ("see the stars", "a glass lens"),
    ("keep milk cold", "a box of ice"),
    ("saw a tree", "a steel saw"),
    ("comb your hair", "a bone comb"),
    ("brush a horse", "a hard brush"),
    ("ring for dinner", "a copper bell"),
    ("call a dog", "a tin whistle"),
    ("draw a line", "a straight ruler"),
    ("grind corn", "a stone mill"),
    ("lift a car", "a big crane"),
    ("warm a bed", "a hot brick"),
    ("paint a wall", "a soft roller"),
    ("weigh gold", "a pair of scales"),
    ("find north", "a pocket compass"),
    ("hang a coat", "a wall hook"),
)
"""What a thing is for, and what one uses, the common ones first."""

_INSIDE = ("box", "bag", "basket", "cupboard", "drawer", "chest", "suitcase", "barrel", "cart", "tent", "cave", "shed")
_GOES_IN = ("lamp", "drum", "chair", "clock", "mirror", "kite", "statue", "cushion", "harp", "globe", "sofa", "wheel")
_HARD = ("stone", "hammer", "knife", "axe", "brick", "anchor", "club", "rock", "pan", "bat")
_WEAK = ("glass", "plate", "vase", "egg", "window", "bottle", "jar", "mug", "bowl", "tile")


@dataclass(frozen=True)
class Referent:
    """A sentence with a gap: what fills it, the other candidate, and the clause that tells which of them is meant."""

    before: str
    answer: str
    other: str
    clause: str

    @property
    def question(self) -> Question:
        """The sentence up to the gap and past it, as text."""
        return Question(f"{self.before} {self.answer}", self.clause)


_ABOUT_NAMES = (
    ("{0} thanked {1} because", "had got so much help.", "had helped so much."),
    ("{0} gave {1} a warm coat because", "wanted to be kind.", "was very cold."),
    ("{0} asked {1} the way because", "did not know the town.", "knew the town well."),
    ("{0} ran after {1} because", "wanted to catch up.", "had left too early."),
    ("{0} paid {1} a coin because", "had bought some bread.", "had sold some bread."),
    ("{0} taught {1} to swim because", "could swim well.", "could not swim yet."),
    ("{0} hid from {1} because", "was afraid.", "looked very angry."),
    ("{0} visited {1} in bed because", "brought some soup.", "was ill."),
)


def situation(rng: random.Random, number: int | None = None) -> Question:
    """A situation and how it goes on; common ones come up more often than rare ones."""
    opening, ending = SITUATIONS[_draw_number(rng, len(SITUATIONS)) if number is None else number]
    wrong = others(rng, ending, [other for _, other in SITUATIONS])
    return Question(opening.format(name=rng.choice(NAMES)), f"{ending}.", tuple(f"{other}." for other in wrong))


def tool(rng: random.Random, number: int | None = None) -> Question:
    """What one uses for something."""
    purpose, answer = TOOLS[_draw_number(rng, len(TOOLS)) if number is None else number]
    return ask(f"What do you use to {purpose}?", answer, others(rng, answer, [other for _, other in TOOLS]))


def referent_of_things(rng: random.Random) -> Referent:
    """Two things, of which one is too big or too small, too hard or too weak."""
    if rng.random() < 0.6:
        inner, outer = rng.choice(_GOES_IN), rng.choice(_INSIDE)
        before, clauses = f"The {inner} did not go into the {outer} because the", ("was too big.", "was too small.")
        pair = (inner, outer)
    else:
        pair = (rng.choice(_HARD), rng.choice(_WEAK))
        before, clauses = f"The {pair[0]} broke the {pair[1]} because the", ("was too hard.", "was too weak.")
    return _referent(rng, before, pair, clauses)


def referent_of_names(rng: random.Random) -> Referent:
    """Two people, of whom one did something and the other had it done."""
    before, first, second = rng.choice(_ABOUT_NAMES)
    one, two = rng.sample(NAMES, 2)
    return _referent(rng, before.format(one, two), (one, two), (first, second))


REFERENTS: tuple[Callable[[random.Random], Referent], ...] = (referent_of_things, referent_of_names)


def _referent(rng: random.Random, before: str, pair: tuple[str, str], clauses: tuple[str, str]) -> Referent:
    index = rng.randrange(2)
    return Referent(before, pair[index], pair[1 - index], clauses[index])


def _draw_number(rng: random.Random, n: int) -> int:
    """A number below `n`, the low ones far more often: the last comes up about a hundred times less than the first."""
    weights = [100 ** (-number / n) for number in range(n)]
    return rng.choices(range(n), weights)[0]
