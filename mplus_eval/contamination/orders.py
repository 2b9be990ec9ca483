"""Runs of neighbouring items, and the same runs in other orders.

Items that share a passage move together and keep their order: its other questions make a passage likelier to anybody.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from mplus_eval.contamination.item_texts import ItemText

MOST_UNITS = 10
"""Items, or passages with theirs, of one shard: enough for thousands of orders."""
FEWEST_UNITS = 4
"""They have 23 other orders, as many as are asked for at most, so that every shard has the same number."""
SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Shard:
    """Neighbours in the data's order, each with those that share its passage."""

    units: tuple[str, ...]

    def orders(self, n: int, generator: random.Random) -> list[str]:
        """The text in the data's order, then in n other orders that are drawn; fewer where there are no more."""
        own = tuple(range(len(self.units)))
        n = min(n, math.factorial(len(own)) - 1)
        drawn: dict[tuple[int, ...], None] = {}
        while len(drawn) < n:
            order = tuple(generator.sample(own, len(own)))
            if order != own:
                drawn[order] = None
        return [SEPARATOR.join(self.units[number] for number in order) for order in (own, *drawn)]


def shards(items: Sequence[ItemText], n: int, fits: Callable[[str], bool]) -> list[Shard]:
    """Cut the items of one subtask into runs that fit a model's length.

    Args:
        items: in the order of the data.
        n: of them; those that are taken lie evenly over the data.
        fits: whether a text is short enough.
    """
    units = [SEPARATOR.join(item.text for item in unit) for unit in _units(items)]
    found: list[Shard] = []
    current: list[str] = []
    for unit in units:
        if current and (len(current) == MOST_UNITS or not fits(SEPARATOR.join([*current, unit]))):
            found.append(Shard(tuple(current)))
            current = []
        current.append(unit)
    found.append(Shard(tuple(current)))
    whole = [shard for shard in found if len(shard.units) >= FEWEST_UNITS and fits(SEPARATOR.join(shard.units))]
    return [whole[place * len(whole) // min(n, len(whole))] for place in range(min(n, len(whole)))]


def _units(items: Sequence[ItemText]) -> list[list[ItemText]]:
    """Neighbours that share a passage are one."""
    keys = [item.cluster or item.item_id for item in items]
    return [[items[place] for place, _ in run] for _, run in groupby(enumerate(keys), key=lambda each: each[1])]
