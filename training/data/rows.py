"""The rows that training uses, and how many of a source were left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from mplus_eval.store.hashes import hash_text
from mplus_eval.training.recipe import DataSource


@dataclass(frozen=True)
class Message:
    """One message of a dialogue."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        """As a chat template takes it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class PreferencePair:
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
class OpenDialogue:
    """A dialogue that ends with a user's message: a prompt."""

    messages: tuple[Message, ...]

    @property
    def last_user_message(self) -> str:
        """What the user said last; empty when the user said nothing."""
        return next((message.content for message in reversed(self.messages) if message.role == "user"), "")


TrainingRow = PreferencePair | Demonstration | OpenDialogue
T = TypeVar("T", bound=TrainingRow)


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Rows of one source, and how many were left out because they are malformed."""

    rows: tuple[T, ...]
    source: DataSource
    n_malformed: int = 0


def hash_rows(rows: Sequence[TrainingRow]) -> str:
    """Hash of rows in their order."""
    return hash_text(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
