"""In which order items are drawn: by a seed, one of every group before a second one of any.

Questions about one passage say less of a model than as many about different ones. So the first G items of the order
are of G different groups, where there are G of them, the next ones again, and so on. Groups are met in the order of
their first item in a plain shuffle, hence one with more items sooner: as long as few groups are met, every item is
about equally probable, and the mean of those that are asked is the mean that all of them would have. Where nearly every
group is met once, items of small groups are asked more often than their number says.

The first n of an order are the draw of n items, so that a larger draw holds every smaller one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence


def spread_order(groups: Sequence[Hashable | None], seed: str) -> list[int]:
    """The order in which items are drawn; the same on every machine.

    Args:
        groups: of each item, what it shares with others; None where it stands alone.
        seed: of the shuffle, with the name of what is drawn from, so that different sets are drawn independently.

    Returns:
        The items' places, each once.
    """
    shuffled = list(range(len(groups)))
    random.Random(seed).shuffle(shuffled)
    met: Counter[Hashable] = Counter()
    ranks = []
    for place in shuffled:
        group = groups[place]
        ranks.append(0 if group is None else met[group])
        if group is not None:
            met[group] += 1
    # Sorting is stable: within a round the shuffled order stays.
    return [place for _, place in sorted(zip(ranks, shuffled, strict=True), key=lambda pair: pair[0])]


def first_of_each(groups: Sequence[Hashable], n: int) -> list[int]:
    """The places of the first item of every group, then of the second one of every group, up to n; in order."""
    met: Counter[Hashable] = Counter()
    ranks = []
    for place, group in enumerate(groups):
        ranks.append((met[group], place))
        met[group] += 1
    return sorted(place for _, place in sorted(ranks)[:n])


def draw(groups: Sequence[Hashable | None], n: int, seed: str) -> list[int]:
    """The places of n drawn items, in the order in which they stand."""
    return sorted(spread_order(groups, seed)[:n])
