"""How many items are asked, and which of them.

    --limit 200          200 of each leaf task, drawn by the run's seed
    --limit first:200    the first 200 of each, as lm-eval takes them

A larger limit holds the items of a smaller one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from mplus_eval.spec.fields import Accepts

ACCEPTED = "a whole number above 0, or first:N for the first N"
_FIRST = "first:"


@dataclass(frozen=True)
class Limit:
    """At most `n` items of each leaf task, prompts of each set, dialogues.

    Attributes:
        first: whether they are the first ones, instead of drawn by the run's seed.
    """

    n: int
    first: bool = False

    def __str__(self) -> str:
        """As it is given."""
        return f"{_FIRST if self.first else ''}{self.n}"

    def holds(self, other: Limit) -> bool:
        """Whether the items of another limit are among those of this one."""
        return self.first == other.first and other.n <= self.n

    def drawn_by(self, seed: int) -> int | None:
        """The seed by which its items are drawn; None where they are the first ones."""
        return None if self.first else seed

    def component(self, seed: int) -> str:
        """As it stands in a fingerprint."""
        return str(self.n) if self.first else f"{self.n} drawn with seed {seed}"


def parse_limit(value: object) -> object:
    """Read a limit from what is given: a number, `first:` and a number, or a limit.

    Raises:
        ValueError: it is none of them, or not above 0.
    """
    if value is None or isinstance(value, Limit):
        return value
    read = re.fullmatch(rf"({_FIRST})?0*([1-9]\d*)", str(value)) if isinstance(value, int | str) else None
    if read is None:
        raise ValueError("no limit")
    return Limit(int(read[2]), read[1] is not None)


LimitField = Annotated[
    Limit | None,
    BeforeValidator(parse_limit),
    PlainSerializer(lambda limit: None if limit is None else str(limit)),
    Accepts(ACCEPTED),
]
