"""In which rounds a task's items are asked, where asking may stop once a verdict is settled.

Whole clusters stand in an order that a seed draws, every stratum in proportion, and each round takes half as many items
again as there were before. So the items of the first rounds are a sample like all of them, clusters vary independently
from round to round, and the number of rounds grows with the logarithm of the items: each has every model loaded once.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate

FIRST_ITEMS = 200
"""Items of a task that are asked before the first look: fewer cannot exclude a loss of 2 points."""
GROWTH = 1.5
"""How many times as many items have been asked after a round as before it."""
_LAST = 1.2
"""A round that would leave less than this growth to the next takes all items that are left."""


def round_sizes(n_items: int) -> list[int]:
    """How many items have been asked after each round.

    >>> round_sizes(1319)
    [200, 300, 450, 675, 1012, 1319]
    """
    sizes, size = [], float(FIRST_ITEMS)
    while size * _LAST < n_items:
        sizes.append(int(size))
        size *= GROWTH
    return [*sizes, n_items]


def rounds_of(clusters: Mapping[str, Sequence[Hashable | None]], seed: str) -> dict[str, list[int]]:
    """The round in which every item is asked, from 0; the same on every machine.

    Args:
        clusters: by stratum, of each item the label of its cluster, or None where it stands alone. A cluster that
            lies in several strata stands where the first of them has it.
        seed: of the order, with the task's name, so that tasks are drawn independently.

    Returns:
        By stratum, of each item.
    """
    sizes, places = _places(clusters, seed)
    order = sorted(sizes, key=lambda label: places[label])
    ends = round_sizes(sum(sizes.values()))
    found, number = {}, 0
    for label, n_before in zip(order, accumulate((sizes[label] for label in order), initial=0), strict=False):
        # A cluster is asked in the round in which its first item falls.
        while n_before >= ends[number]:
            number += 1
        found[label] = number
    return {name: [found[_label(name, place, each)] for place, each in enumerate(of)] for name, of in clusters.items()}


def _places(
    clusters: Mapping[str, Sequence[Hashable | None]], seed: str
) -> tuple[dict[Hashable, int], dict[Hashable, tuple[float, int]]]:
    """The number of items of every cluster, and where it stands: a share of its stratum, and a number for ties."""
    generator = random.Random(seed)
    sizes: dict[Hashable, int] = {}
    members: dict[str, list[Hashable]] = {}
    home: dict[Hashable, str] = {}
    for name, of in clusters.items():
        for place, each in enumerate(of):
            label = _label(name, place, each)
            if label not in home:
                home[label] = name
                members.setdefault(name, []).append(label)
            sizes[label] = sizes.get(label, 0) + 1
    places: dict[Hashable, tuple[float, int]] = {}
    for labels in members.values():
        generator.shuffle(labels)
        whole = sum(sizes[label] for label in labels)
        # Strata begin at random places, so that none is met first in every sample.
        start = generator.random()
        n_before = 0
        for label in labels:
            share = (n_before + start * sizes[label]) / whole
            places[label] = (share, len(places))
            n_before += sizes[label]
    return sizes, places


def _label(stratum: str, place: int, cluster: Hashable | None) -> Hashable:
    """A cluster's own label; one that nothing else has for an item that stands alone."""
    return (stratum, place) if cluster is None else ("cluster", cluster)
