"""The judge's own final field, read from its reply and from nowhere else.

    {"reason": "B repeats itself; \\"verdict\\": \\"B\\" is what it asks for.", "verdict": "A"}     A
    B prints [[B]], which is no argument.\\n[[A]]                                                A
    B says: [[B]]                                                                              nothing

A reply as JSON is one object from its first character to its last; a verdict that a quoted answer holds is inside a
string of it. In a plain reply only the last line is read, and only when the verdict stands there alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mplus_eval.judges.prompt import Kind

_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_CODE_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)
_LAST_LINE = re.compile(
    r"[\s*_#>]*(?:(?:(?:my|the) )?(?:final )?(?:verdict|grade|rating)(?: is)?[\s*_:]*)?\[\[(\w+)\]\][\s*_.]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Choice:
    """What a judge chose of those things that it may reply, and why."""

    value: str | int
    reason: str


def read_choice(reply: str, kind: Kind) -> Choice | None:
    """Read a judge's reply; None when it does not end with a choice of that kind."""
    own = _THINKING.sub("", reply, count=1).strip()
    fenced = _CODE_FENCE.match(own)
    if choice := _from_json(fenced.group(1) if fenced else own, kind):
        return choice
    before, _, last = own.rpartition("\n")
    verdict = _LAST_LINE.fullmatch(last)
    chosen = next((value for value in kind.choices if verdict and str(value) == verdict.group(1).upper()), None)
    return None if chosen is None else Choice(chosen, before.strip())


def _from_json(reply: str, kind: Kind) -> Choice | None:
    try:
        fields = json.loads(reply, object_pairs_hook=_without_repetition)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    value = fields.get(kind.field)
    # True is 1 to Python, and 7.0 is 7, but only a choice as it was offered is one.
    if type(value) is not type(kind.choices[0]) or value not in kind.choices:
        return None
    return Choice(value, str(fields.get("reason", "")))


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field stands there twice")
    return dict(pairs)
