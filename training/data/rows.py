"""The rows that training uses, and how many of a source were left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

from mplus_eval.store.hashes import hash_text
from mplus_eval.training.recipe import Source

T = TypeVar("T")


@dataclass(frozen=True)
class Message:
    """One message of a dialogue."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        """As a chat template takes it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Pair:
    """A dialogue that ends with a user's message, the answer to prefer and the one to avoid."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Demonstration:
    """A dialogue that ends with a user's message, and a good answer."""

    prompt: tuple[Message, ...]
    answer: str


@dataclass(frozen=True)
class Prompt:
    """A dialogue that ends with a user's message."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Rows of one source; `reasons` says why rows were left out, with how many."""

    rows: tuple[T, ...]
    source: Source
    reasons: Mapping[str, int] = field(default_factory=Counter)

    @property
    def n_malformed(self) -> int:
        """Rows that were left out."""
        return sum(self.reasons.values())

    @property
    def hash(self) -> str:
        """Hash of the rows in their order."""
        return hash_rows(self.rows)


def hash_rows(rows: Sequence[Any]) -> str:
    """Hash of rows in their order."""
    return hash_text(json.dumps([asdict(row) for row in rows], ensure_ascii=False))


def last_user_message(messages: Sequence[Message]) -> str:
    """What the user said last; empty when the user said nothing."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")
