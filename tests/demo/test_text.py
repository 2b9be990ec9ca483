from __future__ import annotations

from mplus_eval.demo import text
from mplus_eval.demo.world import make_world


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


def test_held_out_texts_are_as_many_as_asked_and_follow_their_seed() -> None:
    assert len(text.held_out_texts(64, seed=0)) == 64
    assert text.held_out_texts(64, seed=0) == text.held_out_texts(64, seed=0)
    assert text.held_out_texts(64, seed=0) != text.held_out_texts(64, seed=1)
    assert text.held_out_texts(0, seed=0) == []


def test_held_out_texts_are_not_those_of_the_same_seeds_pre_training_text() -> None:
    written = set(text.documents(2000, seed=0))
    seen = [document for document in text.held_out_texts(200, seed=0) if document in written]
    assert len(seen) <= 10  # a dialogue of one line may come again


def test_held_out_texts_hold_facts_as_well_as_the_mixture() -> None:
    statements = {
        statement.format(entity=fact.entity, answer=fact.answer)
        for fact in make_world().facts
        for statement in fact.relation.statements
    }
    written = text.held_out_texts(100, seed=3)
    paragraphs = [document for document in written if any(document.startswith(said) for said in statements)]
    assert 5 <= len(paragraphs) <= 14
    assert any("User:" in document for document in written)
