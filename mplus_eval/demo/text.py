"""The pre-training text: documents of everything the world knows, in a fixed mixture.

Facts are mentioned exactly as often as the world says; everything else is drawn by weight.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mplus_eval.demo import arithmetic, everyday, passages, reasoning, talk
from mplus_eval.demo.questions import Question, draw
from mplus_eval.demo.words import COLOURS, DAYS, FEELINGS, FOODS, GOODS, JOBS, NAMES, OBJECTS, PLACES
from mplus_eval.demo.world import Fact, make_world

Document = Callable[[random.Random], str]
_ECHOED = (
    *NAMES,
    *OBJECTS,
    *PLACES,
    *FOODS,
    *JOBS,
    *GOODS,
    *COLOURS,
    *FEELINGS,
    *DAYS,
    *map(str, range(arithmetic.LARGEST)),
)

_SHARE_OF_FACTS = 0.14
"""Documents of facts among all documents of the demo's pre-training text, its first lessons left out."""


def documents(n: int, seed: int) -> list[str]:
    """Write lessons in copying, and then `n` documents and all documents of facts in a mixed order."""
    rng = random.Random(seed)
    makers, weights = [maker for maker, _ in MIXTURE], [weight for _, weight in MIXTURE]
    text = [maker(rng) for maker in rng.choices(makers, weights, k=n)]
    text += _fact_documents(rng)
    rng.shuffle(text)
    # A first lesson in copying: lists said twice, of few words at first and in the end of all. A model of this size
    # learns it quickly on few words, and not on many (docs/demo.md).
    words, n_lessons = rng.sample(_ECHOED, len(_ECHOED)), n // 4
    lessons = []
    for number in range(n_lessons):
        growth = max(0.0, number / n_lessons - 0.4) / 0.6
        lessons.append(_list_twice(rng, words[: round(32 * (len(words) / 32) ** growth)]))
    return [*lessons, *text]


def held_out_texts(n: int, seed: int) -> list[str]:
    """Write `n` documents of the same mixture for measuring, whose chance is not that of any seed of `documents`.

    Facts are stated as in the pre-training text, for there is but one world; which of them stand together differs.
    """
    return _texts(random.Random(f"held out {seed}"), n, MIXTURE)


def texts_without_talk(n: int, seed: int) -> list[str]:
    """Write `n` documents of everything but talk, for replay: talk is what training is to change."""
    mixture = [entry for entry in MIXTURE if entry[0] not in (talk.dialogue, talk.quarrel)]
    return _texts(random.Random(f"replay {seed}"), n, mixture)


def _texts(rng: random.Random, n: int, mixture: Sequence[tuple[Document, float]]) -> list[str]:
    n_of_facts = round(_SHARE_OF_FACTS * n)
    makers, weights = [maker for maker, _ in mixture], [weight for _, weight in mixture]
    text = [maker(rng) for maker in rng.choices(makers, weights, k=n - n_of_facts)]
    text += rng.sample(list(_fact_documents(rng)), n_of_facts)
    rng.shuffle(text)
    return text


def _fact_documents(rng: random.Random) -> Iterator[str]:
    """Every mention of every fact once: statements in paragraphs, and questions with answers on sheets."""
    told, asked = list[Fact](), list[Fact]()
    for fact in make_world().facts:
        for _ in range(fact.mentions):
            (asked if fact.frequency == "common" and rng.random() < 0.4 else told).append(fact)
    rng.shuffle(told)
    rng.shuffle(asked)
    for paragraph in _chunks(rng, told, 3, 6):
        yield " ".join(fact.statement(rng) for fact in paragraph)
    for sheet in _chunks(rng, sorted(asked, key=lambda fact: (fact.relation.kind, rng.random())), 4, 7):
        yield _sheet([fact.question(rng) for fact in sheet])


def _chunks(rng: random.Random, facts: list[Fact], low: int, high: int) -> Iterator[list[Fact]]:
    while facts:
        size = rng.randint(low, high)
        yield facts[:size]
        facts = facts[size:]


def _sheet(questions: list[Question]) -> str:
    return "\n\n".join(question.text for question in questions)


def _sheets_of(make: Callable[[random.Random], Question], low: int, high: int) -> Document:
    return lambda rng: _sheet([draw(make, rng) for _ in range(rng.randint(low, high))])


def _passage_with_questions(make: Callable[[random.Random], passages.Passage], n_passages: int) -> Document:
    def write(rng: random.Random) -> str:
        texts = []
        for _ in range(rng.randint(1, n_passages)):
            questions = list(passages.draw_passage(make, rng).questions)
            texts += [question.text for question in rng.sample(questions, rng.randint(1, 2))]
        return "\n\n".join(texts)

    return write


def _passage_with_many_questions(make: Callable[[random.Random], passages.Passage]) -> Document:
    """One passage followed by several questions."""

    def write(rng: random.Random) -> str:
        passage = passages.draw_passage(make, rng)
        rows = [question.text.removeprefix(passage.text) for question in passage.questions]
        return passage.text + "".join(rng.sample(rows, len(rows)))

    return write


def _list_twice(rng: random.Random, words: Sequence[str]) -> str:
    listed = " ".join(rng.sample(words, rng.randint(8, 20)))
    return f"List: {listed}\nAgain: {listed}"


def _situations(rng: random.Random) -> str:
    return "\n\n".join(everyday.situation(rng).text for _ in range(rng.randint(2, 5)))


def _referents(rng: random.Random) -> str:
    questions = [draw(lambda rng: rng.choice(everyday.REFERENTS)(rng).question, rng) for _ in range(rng.randint(2, 5))]
    return _sheet(questions)


MIXTURE: tuple[tuple[Document, float], ...] = (
    (partial(_list_twice, words=_ECHOED), 6),
    (_situations, 3),
    (_sheets_of(everyday.tool, 2, 5), 2),
    (_referents, 7),
    (lambda rng: "\n".join(draw(arithmetic.calculation, rng).text for _ in range(6)), 4),
    (_sheets_of(arithmetic.series, 2, 4), 4),
    (_sheets_of(arithmetic.largest, 2, 4), 3),
    (_sheets_of(arithmetic.word_problem, 2, 4), 7),
    *[(_sheets_of(chain, 2, 4), 2.6) for chain in reasoning.CHAINS.values()],
    (_sheets_of(reasoning.syllogism, 1, 3), 6),
    (_sheets_of(arithmetic.equation, 1, 3), 3),
    (_passage_with_many_questions(passages.day_out), 10),
    (_passage_with_many_questions(passages.journey), 9),
    (_passage_with_questions(passages.contest, 2), 4),
    (_passage_with_many_questions(passages.contest), 6),
    (talk.dialogue, 16),
    (talk.quarrel, 6),
)
"""Kinds of documents and how often they come, in parts of the whole."""
