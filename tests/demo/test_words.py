"""The words of the world: tables without repetition, and invented names."""

from __future__ import annotations

import random

import pytest

from mplus_eval.demo import words

TABLES = [name for name, value in vars(words).items() if name.isupper() and isinstance(value, tuple)]


@pytest.mark.parametrize("name", TABLES)
def test_no_word_stands_twice_in_a_table(name: str) -> None:
    table = getattr(words, name)
    assert len(set(table)) == len(table) > 4


def test_invented_names_are_new_and_end_as_asked() -> None:
    used = {"Balia"}
    lands = words.invent(random.Random(0), ("ia", "land"), 50, used)
    people = words.invent(random.Random(0), ("ia", "land"), 50, used)
    assert len({*lands, *people}) == 100
    assert {"Balia", *lands, *people} == used
    assert all(name[0].isupper() and name.endswith(("ia", "land")) for name in lands)
