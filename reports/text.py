"""Foreign text made fit to show: what models, tasks and users wrote is data, and may hold anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_HIDDEN = ("Cc", "Cs", "Cf")
"""Controls, lone surrogates and format characters such as right-to-left overrides. Joiners are spared: Persian,
Hindi and emoji need them."""
_SPARED = "\n\t\u200c\u200d\u00ad"


def visible(text: str) -> str:
    """Replace every character that would act instead of show by its code point.

    >>> visible("a\\u202eb")
    'a⟨U+202E⟩b'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in _SPARED or unicodedata.category(character) not in _HIDDEN
        else f"⟨U+{ord(character):04X}⟩"
        for character in text.replace("\r\n", "\n")
    )


def one_line(text: str) -> str:
    """The visible text with every run of white space as one space."""
    return " ".join(visible(text).split())


def truncate_start(text: str, length: int) -> str:
    """The visible text's last characters, with an ellipsis where something was left off."""
    shown = visible(text)
    return shown if len(shown) <= length else f"… {shown[-length:].lstrip()}"


def truncate_end(text: str, length: int) -> str:
    """The visible text's first characters, with an ellipsis where something was left off."""
    shown = visible(text)
    return shown if len(shown) <= length else f"{shown[:length].rstrip()} …"


def enumerated(words: Sequence[str]) -> str:
    """Join words as a sentence does: `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def abridged(words: Sequence[str], at_most: int, noun: str) -> str:
    """Join the first few words, and count the rest: `a, b, c and 4 more tasks`."""
    if len(words) <= at_most + 1:
        return enumerated(words)
    return enumerated([*words[:at_most], f"{len(words) - at_most} more {noun}"])


def without_common_prefix(names: Sequence[str]) -> dict[str, str]:
    """Names of subtasks in words, without the prefix that all share: `mmlu_world_religions` is `world religions`."""
    first, last = (min(names), max(names)) if len(names) > 1 else ("", "")
    shared = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    cut = first.rfind("_", 0, shared) + 1
    return {name: name[cut:].replace("_", " ") or name for name in names}
