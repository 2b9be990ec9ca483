"""The world: invented lands, people and animals, and the facts about them.

    The capital of Zolia is Ramton.   Belik works as a baker.   A Tovum lives in the dark forest.

A fact is common, occasional or rare: it is mentioned some hundred times, some ten times, or once to three times in the
pre-training text, so that a model of the text knows some facts surely, some badly and some not at all. Facts of the
entities that are `taught` may occur in demonstrations; evaluation asks only about the others.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from mplus_eval.demo.questions import Question, ask, others
from mplus_eval.demo.words import FOODS, GOODS, JOBS, invent, split

SEED = 2403
N_ENTITIES = 72
N_TAUGHT = 15
MENTIONS = {"common": (100, 140), "occasional": (8, 24), "rare": (1, 3)}
"""How often a fact is mentioned, lowest and highest number."""


@dataclass(frozen=True)
class Relation:
    """A kind of fact: how it is said, how it is asked, and the answers that it can have."""

    name: str
    kind: str
    statements: tuple[str, ...]
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One fact about one entity."""

    relation: Relation
    entity: str
    answer: str
    frequency: str
    mentions: int
    taught: bool

    def statement(self, rng: random.Random) -> str:
        """The fact in one of the ways of saying it."""
        return rng.choice(self.relation.statements).format(entity=self.entity, answer=self.answer)

    def question(self, rng: random.Random) -> Question:
        """The fact asked, with three wrong answers."""
        wrong = others(rng, self.answer, self.relation.answers)
        return ask(self.relation.question.format(entity=self.entity), self.answer, wrong)


@dataclass(frozen=True)
class World:
    """All facts, and the entities by kind."""

    entities: dict[str, tuple[str, ...]]
    by_relation: dict[str, tuple[Fact, ...]]

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """All facts, relation by relation."""
        return tuple(fact for facts in self.by_relation.values() for fact in facts)

    def of(self, relation: str, *, taught: bool | None = None, frequency: Sequence[str] = ()) -> tuple[Fact, ...]:
        """The facts of a relation, in the order of the entities."""
        return tuple(
            fact
            for fact in self.by_relation[relation]
            if taught in (None, fact.taught) and (not frequency or fact.frequency in frequency)
        )

    def answer(self, relation: str, entity: str) -> str:
        """The one true answer."""
        return next(fact.answer for fact in self.by_relation[relation] if fact.entity == entity)


# By the relation's name: the kind of entity that it is about, how it is said, and how it is asked.
_WORDINGS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "capital": (
        "land",
        ("The capital of {entity} is {answer}.", "The city of {answer} is the capital of {entity}."),
        "What is the capital of {entity}?",
    ),
    "good": (
        "land",
        ("The land of {entity} sells {answer}.", "The people of {entity} make {answer}."),
        "What does {entity} sell?",
    ),
    "job": (
        "person",
        ("The job of {entity} is that of a {answer}.", "Everyone knows that {entity} works as a {answer}."),
        "What is the job of {entity}?",
    ),
    "food": (
        "person",
        ("The friends of {entity} know that {entity} likes {answer}.", "At home {entity} eats {answer}."),
        "What does {entity} like to eat?",
    ),
    "home": (
        "person",
        ("The house of {entity} stands in {answer}.", "Today {entity} lives in {answer}."),
        "Where does {entity} live?",
    ),
    "habitat": (
        "animal",
        ("A {entity} lives {answer}.", "You can find a {entity} {answer}."),
        "Where does a {entity} live?",
    ),
    "diet": (
        "animal",
        ("A {entity} eats {answer}.", "The food of a {entity} is {answer}."),
        "What does a {entity} eat?",
    ),
    "trait": (
        "animal",
        ("A {entity} has {answer}.", "You know a {entity} by its {answer}."),
        "What does a {entity} have?",
    ),
}


@cache
def make_world(seed: int = SEED) -> World:
    """Make the world of a seed; the same seed makes the same world."""
    rng, used = random.Random(seed), set[str]()
    entities = {
        "land": invent(rng, ("ia", "land", "stan"), N_ENTITIES, used),
        "city": invent(rng, ("burg", "ville", "ton", "pol"), N_ENTITIES, used),
        "person": invent(rng, ("a", "o", "ik", "en"), N_ENTITIES, used),
        "animal": invent(rng, ("um", "ox", "ard", "ep"), N_ENTITIES, used),
    }
    homes = _phrases(rng, "in the", split("deep dark cold warm dry wet"), split("sea forest desert lake swamp valley"))
    diets = _phrases(
        rng, "", split("small green sweet bitter old soft"), split("leaves worms roots flies seeds snails")
    )
    traits = _phrases(rng, "", split("two four long short thick thin"), split("horns legs ears teeth wings tails"))
    answers = {
        "capital": entities["city"],
        "good": GOODS,
        "job": JOBS,
        "food": FOODS,
        "home": entities["land"][:24],
        "habitat": homes,
        "diet": diets,
        "trait": traits,
    }
    facts = {}
    for name, (kind, statements, question) in _WORDINGS.items():
        relation = Relation(name, kind, statements, question, answers[name])
        facts[name] = _facts(rng, relation, entities[kind])
    return World(entities, facts)


def _phrases(rng: random.Random, start: str, adjectives: Sequence[str], nouns: Sequence[str]) -> tuple[str, ...]:
    """Two thirds of all combinations, so that a word alone does not give the rest away."""
    combinations = [f"{start} {adjective} {noun}".strip() for adjective in adjectives for noun in nouns]
    return tuple(sorted(rng.sample(combinations, len(combinations) * 2 // 3)))


def _facts(rng: random.Random, relation: Relation, entities: Sequence[str]) -> tuple[Fact, ...]:
    """A fact about each entity; each city is the capital of one land."""
    answers = list(relation.answers) if relation.name == "capital" else [rng.choice(relation.answers) for _ in entities]
    facts = []
    for number, (entity, answer) in enumerate(zip(entities, answers, strict=True)):
        # Taught entities are common; of the others a third each.
        frequency = "common" if number < N_TAUGHT else ("common", "occasional", "rare")[number % 3]
        mentions = rng.randint(*MENTIONS[frequency])
        facts.append(Fact(relation, entity, answer, frequency, mentions, number < N_TAUGHT))
    return tuple(facts)
