"""Clusters that reach over the subtasks of a task, joined by the questions that these have in common.

    sat-en                     passage P: question 1, question 2
    sat-en-without-passage     question 1, and question 2

Whoever knows the answer to question 1 knows it in both. So a suite may say by which column or template a question is
known (`same_question`): all items that ask it are one cluster, with whatever shares a passage with any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Names(NamedTuple):
    """What an item belongs to; None where it has no such thing."""

    passage: str | None = None
    question: str | None = None


def joined(items: Sequence[Names]) -> dict[str, str]:
    """Join the names that stand together on any item.

    Args:
        items: the names of every item.

    Returns:
        By name, what its cluster is called: the first met of all that belong together. A name is absent where it stands
        on one item, alone.
    """
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    named = [[name for name in names if name is not None] for names in items]
    for names in named:
        for name in names:
            parents.setdefault(name, name)
            parents[root(name)] = root(names[0])
    met = Counter(name for names in named for name in names)
    first: dict[str, str] = {}
    for name in parents:
        first.setdefault(root(name), name)
    sizes = Counter(map(root, parents))
    return {name: first[root(name)] for name in parents if met[name] > 1 or sizes[root(name)] > 1}
