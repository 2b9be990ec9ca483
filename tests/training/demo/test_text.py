from __future__ import annotations

from mplus_eval.training.demo import text
from mplus_eval.training.demo.world import make_world


def test_the_same_seed_writes_the_same_text() -> None:
    assert text.documents(200, seed=1) == text.documents(200, seed=1)
    assert text.documents(200, seed=1) != text.documents(200, seed=2)


def test_a_rare_fact_is_mentioned_exactly_as_often_as_the_world_says() -> None:
    facts = "\n".join(text.documents(0, seed=1))
    for fact in make_world().of("trait", frequency=("rare",)):
        ways = {statement.format(entity=fact.entity, answer=fact.answer) for statement in fact.relation.statements}
        assert sum(facts.count(way) for way in ways) == fact.mentions


def test_the_text_begins_with_lists_said_twice_of_ever_more_words() -> None:
    lessons = text.documents(400, seed=1)[:100]
    listed = [lesson.removeprefix("List: ").split("\nAgain: ") for lesson in lessons]
    assert all(first == second for first, second in listed)
    words = [set(first.split()) for first, _ in listed]
    assert len(set().union(*words[:40])) == 32
    assert len(set().union(*words[70:])) > 100


def test_every_kind_of_document_can_be_written() -> None:
    written = text.documents(3000, seed=1)
    assert all(any(sign in document for document in written) for sign in ("User:", "Q:", "Question:", "because", "="))
