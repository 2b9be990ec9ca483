"""Clusters that reach over the subtasks of a task, joined by the questions that these have in common.

    sat-en                     passage P: question 1, question 2
    sat-en-without-passage     question 1, and question 2

Whoever knows the answer to question 1 knows it in both. So a suite may say by which column or template a question is
known (`same_question`): all items that ask it are one cluster, with whatever shares a passage with any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from mplus_eval.store.hashes import hash_text

if TYPE_CHECKING:
    from jinja2 import Template

_LONGEST_NAME = 40


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


def names_of(document: object, subtask: str, cluster: str | None, same_question: str | None) -> Names:
    """What an item belongs to: its passage in this subtask, its question in all.

    Args:
        document: the row of the data.
        subtask: that it is of.
        cluster: column or template that says which passage; None where none does.
        same_question: the same of the question.
    """
    passage, question = (_value(document, column) for column in (cluster, same_question))
    return Names(f"{subtask}/{passage}" if passage else None, f"question {question}" if question else None)


def cluster_named(names: Names, joined: Mapping[str, str]) -> str | None:
    """The cluster of an item, by its names and what is joined (`joined`); None where it stands alone."""
    shared = (joined.get(name) for name in names if name is not None)
    return next((cluster for cluster in shared if cluster is not None), names.passage)


def _value(document: object, column: str | None) -> str:
    """What a column or template says of a document, hashed when long; empty when it says nothing."""
    value = ""
    if column is not None:
        row = cast("Mapping[str, Any]", document)
        value = str(row[column] if column in row else _template(column).render(**row)).strip()
    return value if len(value) <= _LONGEST_NAME else hash_text(value)[:16]


@cache
def _template(text: str) -> Template:
    """A template as lm-eval renders it, which compiles it for every document anew."""
    from lm_eval.utils import env

    from mplus_eval.backends import lm_eval_private  # noqa: F401 - which bounds lm-eval's environment

    template: Template = env.from_string(text)
    return template
