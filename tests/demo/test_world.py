from __future__ import annotations

import random
from itertools import groupby

from mplus_eval.demo.world import MENTIONS, N_ENTITIES, N_TAUGHT, make_world


def test_the_same_seed_makes_the_same_world_and_another_seed_another() -> None:
    assert make_world.__wrapped__(5) == make_world.__wrapped__(5)
    assert make_world.__wrapped__(5) != make_world.__wrapped__(6)


def test_names_are_never_shared() -> None:
    names = [name for kind in make_world().entities.values() for name in kind]
    assert len(names) == len(set(names)) == 4 * N_ENTITIES


def test_every_entity_has_exactly_one_answer_to_each_question_about_it() -> None:
    keys = [(fact.relation.name, fact.entity) for fact in make_world().facts]
    assert len(keys) == len(set(keys)) == 8 * N_ENTITIES


def test_no_two_lands_share_a_capital() -> None:
    capitals = [fact.answer for fact in make_world().of("capital")]
    assert len(set(capitals)) == len(capitals)


def test_mentions_lie_in_the_range_of_the_frequency() -> None:
    for fact in make_world().facts:
        low, high = MENTIONS[fact.frequency]
        assert low <= fact.mentions <= high


def test_taught_facts_are_common_and_the_others_have_all_frequencies_in_equal_numbers() -> None:
    facts = make_world().of("job")
    assert {fact.frequency for fact in facts if fact.taught} == {"common"}
    others = sorted(fact.frequency for fact in facts if not fact.taught)
    assert {name: len(list(group)) for name, group in groupby(others)} == dict.fromkeys(
        ("common", "occasional", "rare"), (N_ENTITIES - N_TAUGHT) // 3
    )


def test_a_question_holds_the_true_answer_and_three_wrong_ones() -> None:
    rng = random.Random(0)
    for fact in make_world().facts:
        question = fact.question(rng)
        assert question.answer == make_world().answer(fact.relation.name, fact.entity)
        assert len({question.answer, *question.distractors}) == 4


def test_a_statement_names_entity_and_answer() -> None:
    rng = random.Random(0)
    assert all(fact.entity in (text := fact.statement(rng)) and fact.answer in text for fact in make_world().facts)
