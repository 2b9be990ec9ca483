from __future__ import annotations

import random

import pytest

from mplus_eval.contamination.item_texts import ItemText
from mplus_eval.contamination.orders import SEPARATOR, Shard, shards


def items(n: int, passage: int = 1) -> list[ItemText]:
    return [
        ItemText(str(number), f"p{number // passage}" if passage > 1 else None, f"{number}?", " yes")
        for number in range(n)
    ]


def everything(_: str) -> bool:
    return True


def test_the_own_order_is_first_and_the_others_are_all_different() -> None:
    texts = Shard(tuple("abcd")).orders(20, random.Random(0))
    assert texts[0] == SEPARATOR.join("abcd")
    assert len(set(texts)) == 21


@pytest.mark.parametrize(("units", "n"), [("ab", 1), ("abc", 5)])
def test_there_are_no_more_orders_than_there_are(units: str, n: int) -> None:
    assert len(Shard(tuple(units)).orders(20, random.Random(0))) == n + 1


def test_shards_are_neighbours_spread_evenly_over_the_data() -> None:
    found = shards(items(100), 3, everything)
    assert [shard.units[0] for shard in found] == ["0? yes", "30? yes", "60? yes"]
    assert {len(shard.units) for shard in found} == {10}


def test_items_of_one_passage_are_one_unit_in_their_own_order() -> None:
    (first, *_) = shards(items(40, passage=4), 1, everything)
    assert first.units[1] == SEPARATOR.join(["4? yes", "5? yes", "6? yes", "7? yes"])
    assert len(first.units) == 10


def test_a_shard_fits_or_is_left_out() -> None:
    assert [len(shard.units) for shard in shards(items(12), 9, lambda text: text.count("?") <= 5)] == [5, 5]
    assert shards(items(12), 9, lambda text: text.count("?") <= 3) == []
    assert shards([], 9, everything) == []
