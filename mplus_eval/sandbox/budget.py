"""What one text may take: time and characters, and how long a value is."""

from __future__ import annotations

import time
from typing import Any

from jinja2.exceptions import SecurityError

SECONDS = 2.0
"""Of the thread's processor time, for one text."""
MOST_CHARACTERS = 10_000_000
"""Of one value."""
MOST_IN_ALL = 100_000_000
"""Of all values that are made on the way."""
MOST_VALUES = 1_000_000
"""In one list or mapping, with those in it."""
A_VALUE = 8
"""Characters that a value in a list counts for."""


class TemplateLimitError(SecurityError):
    """A template came to a limit."""


class Budget:
    """What is left of the time and the characters of one text."""

    def __init__(self) -> None:
        """Begin now."""
        self._end = time.thread_time() + SECONDS
        self._left = MOST_IN_ALL

    def spend(self, characters: int = 0) -> None:
        """Take something that was or will be made."""
        self._left -= characters
        if characters > MOST_CHARACTERS:
            raise TemplateLimitError(f"it makes a value of more than {MOST_CHARACTERS:,} characters")
        if self._left < 0:
            raise TemplateLimitError(f"it makes more than {MOST_IN_ALL:,} characters in all")
        if time.thread_time() > self._end:
            raise TemplateLimitError(f"it takes longer than {SECONDS:.0f} s")


def characters(value: Any) -> int:
    """About how long a value is when it is written out; counting ends where too much is found.

    Raises:
        TemplateLimitError: a list or mapping holds too many values.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return A_VALUE
    n_values, n_characters = 0, 0
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple | set | frozenset | dict):
            n_values += len(each) + 1
            if n_values > MOST_VALUES:
                raise TemplateLimitError(f"it makes a list of more than {MOST_VALUES:,} values")
            waiting.extend([*each, *each.values()] if isinstance(each, dict) else each)
            n_characters += A_VALUE
        else:
            n_characters += len(each) if isinstance(each, str | bytes) else A_VALUE
    return n_characters
