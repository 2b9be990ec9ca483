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


def test_every_kind_of_document_can_be_written() -> None:
    written = text.documents(3000, seed=1)
    assert all(any(sign in document for document in written) for sign in ("User:", "Q:", "Question:", "because", "="))
