"""What a model is asked of a task: texts in rows, of which the first is the one that may have been seen.

Rows of one table have as many texts each, so that in every row each text has the same chance if none was seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mplus_eval.contamination.item_texts import ItemText
from mplus_eval.contamination.orders import FEWEST_UNITS, shards

Test = Literal["order", "min_k"]
N_VERSIONS = 5
"""Other orders of an item's choices: three choices have as many."""


@dataclass(frozen=True)
class ProbeSettings:
    """How much is asked.

    Attributes:
        seed: of orders.
        n_shards: of each task at most.
        n_orders: of each shard, besides the data's own.
        n_items: of each task at most, whose versions are compared.
        length: most tokens of a text.
    """

    seed: int = 0
    n_shards: int = 50
    n_orders: int = 20
    n_items: int = 200
    length: int = 1024


@dataclass(frozen=True)
class Rows:
    """A table of texts.

    Attributes:
        texts: row by row, the one that may have been seen first.
        reference: what the others are, in words.
    """

    texts: tuple[tuple[str, ...], ...]
    reference: str


@dataclass(frozen=True)
class Probe:
    """The tables of one task, and why there is none of a test."""

    rows: Mapping[Test, Rows] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)


def probe(
    items: Mapping[str, Sequence[ItemText]],
    fits: Callable[[str], bool],
    settings: ProbeSettings,
    paraphrases: Mapping[str, str] | None = None,
) -> Probe:
    """Make the texts of one task.

    Args:
        items: of each subtask, in the order of its data.
        fits: whether a text is short enough.
        settings: how much is asked.
        paraphrases: questions in other words, by item, which take the place of choices in other orders.
    """
    generator = random.Random(settings.seed)
    made: dict[Test, Rows] = {}
    withheld: dict[str, str] = {}
    if orders := _order_rows(items, fits, settings, generator):
        made["order"] = Rows(orders, "the same items in other orders")
    else:
        withheld["order"] = f"no {FEWEST_UNITS} neighbouring items fit into {settings.length:,} tokens"
    if versions := _version_rows(items, fits, settings, generator, paraphrases or {}):
        told = "paraphrases" if paraphrases else "the same choices in other orders"
        made["min_k"] = Rows(versions, told)
    else:
        withheld["min_k"] = "its questions list no choices, and no paraphrases are given"
    return Probe(made, withheld)


def _order_rows(
    items: Mapping[str, Sequence[ItemText]],
    fits: Callable[[str], bool],
    settings: ProbeSettings,
    generator: random.Random,
) -> tuple[tuple[str, ...], ...]:
    of_subtasks = [shards(each, settings.n_shards, fits) for each in items.values()]
    # One of every subtask before a second one of any.
    dealt = [
        shard for turn in range(settings.n_shards) for each in of_subtasks if turn < len(each) for shard in [each[turn]]
    ]
    return tuple(tuple(shard.orders(settings.n_orders, generator)) for shard in dealt[: settings.n_shards])


def _version_rows(
    items: Mapping[str, Sequence[ItemText]],
    fits: Callable[[str], bool],
    settings: ProbeSettings,
    generator: random.Random,
    paraphrases: Mapping[str, str],
) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]]
    if paraphrases:
        asked = [item for each in items.values() for item in each if item.item_id in paraphrases]
        rows = [(item.question, paraphrases[item.item_id]) for item in asked]
    else:
        asked = [item for each in items.values() for item in each if len(item.choices) > 1]
        rows = [(item.question, *item.rearranged(N_VERSIONS, generator)) for item in asked]
        # Where most items have two choices, there is one other order of them.
        whole = [row for row in rows if len(row) == N_VERSIONS + 1]
        rows = whole if 2 * len(whole) >= len(rows) else [row[:2] for row in rows if len(row) > 1]
    fitting = [row for row in rows if all(map(fits, row))]
    n = min(settings.n_items, len(fitting))
    return tuple(fitting[place * len(fitting) // n] for place in range(n))
