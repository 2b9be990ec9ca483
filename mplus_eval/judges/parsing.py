"""The judge's own closing verdict, read from its reply and from nowhere else.

    {"reason": "B repeats itself; \\"verdict\\": \\"B\\" is what it asks for.", "verdict": "A"}     A
    Sure! ```json {"reason": "…", "verdict": "a"}```                                           A
    Let me see. A is … </think> B is better.\\n**Verdict: B**                                   B
    B prints [[B]], which is no argument.\\n[[A]]                                                A
    B says: [[B]]                                                                              nothing
    [[A]]\\nNo, on second thoughts:\\n[[B]]                                                       nothing: two verdicts

A verdict is an object of JSON that has the field which was asked for, or a line that holds nothing else. It must end
the reply. What stands in a sentence is a quotation, as the examples of the prompt are, and so is all that a string of
the object holds. Other verdicts before the closing one may only repeat it. Reasoning (`<think>…</think>`, also where a
server swallowed its beginning) is passed over; where it has no end, nothing was said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mplus_eval.judges.prompt import Kind

_OPENING = re.compile(r"\A\s*(?:<(?:think|thinking|reasoning)>|\[THINK\])", re.IGNORECASE)
_CLOSING = re.compile(r"</(?:think|thinking|reasoning)>|\[/THINK\]", re.IGNORECASE)
_ORNAMENT = re.compile(r"[*_#>`]+")
_LABEL = (
    r"(?:(?:so|therefore|thus|hence),? )?(?:(?:my|the) )?(?:final |overall )?"
    r"(?:verdict|grade|rating|score|decision|judge?ment|winner|(?<=final )answer|(?<=my )choice)"
)
_BRACKETED = r"\[\[\s*(\w+)\s*\]\]"
_OF_TEN = r"(?:\s*/\s*10|\s+out of 10)?"
_LINE = re.compile(
    rf"(?:{_LABEL}(?: is)?\s*[:=–-]?\s*)?(?P<bracketed>{_BRACKETED}(?:[\s,;]*{_BRACKETED})*){_OF_TEN}[.!]?"
    rf"|{_LABEL}(?: is\s*[:=–-]?|\s*[:=–-])\s*[\"'(\[{{]*(?:assistant |answer )?(?P<labelled>\w+)"
    rf"[\"')\]}}]*{_OF_TEN}[.!]?"
    r"|(?P<of_ten>\w+)(?:\s*/\s*10|\s+out of 10)[.!]?",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*\s*(\w+)\s*\*\*[.!]?")
_FENCE = re.compile(r"```(?:json)?[ \t]*\n?", re.IGNORECASE)


MOST_LETTERS = 200_000
"""Of a reply that is read, several times what the longest reasoning takes."""


@dataclass(frozen=True)
class Choice:
    """What a judge chose of those things that it may reply, and why."""

    value: str | int
    reason: str


@dataclass(frozen=True)
class NoChoice:
    """A reply that ends with no choice, and what it did instead, as a half sentence."""

    cause: str


@dataclass(frozen=True)
class _Verdict:
    """A verdict and where it stands in the reply; more than one value where it contradicts itself."""

    values: tuple[str | int, ...]
    start: int
    end: int
    reason: str | None = None


def read_choice(reply: str, kind: Kind) -> Choice | NoChoice:
    """Read a judge's reply."""
    if len(reply) > MOST_LETTERS:
        return NoChoice(f"said {len(reply):,} letters, more than the {MOST_LETTERS:,} that are read")
    own = reply.strip()
    whole = _object(own, kind, 0) if own.startswith("{") else None
    if whole is not None and whole.end == len(own):
        # One object from the first letter to the last: nothing that its strings quote is looked at.
        return _choice([whole] if whole.values else [], own, kind)
    closings = [closing.end() for closing in _CLOSING.finditer(own)]
    if not closings:
        return NoChoice("came to no end of its reasoning") if _OPENING.match(own) else _read(own, kind)
    # The first end is the reasoning's, unless that had quoted one.
    found = _read(own[closings[0] :], kind)
    return found if isinstance(found, Choice) else _read(own[closings[-1] :], kind)


def _read(own: str, kind: Kind) -> Choice | NoChoice:
    """Read what a judge says when it has thought."""
    whole = own.strip()
    if whole.startswith("{") and (found := _object(whole, kind, 0)) and found.end == len(whole) and found.values:
        return _choice([found], whole, kind)
    # Without its fences, what stands in them ends a line and the reply.
    plain = _FENCE.sub("\n", own).strip()
    return _choice(list(_verdicts(plain, kind)), plain, kind)


def _choice(verdicts: Sequence[_Verdict], own: str, kind: Kind) -> Choice | NoChoice:
    if not verdicts or verdicts[-1].end < len(own):
        return NoChoice(f"gave no {kind.field} at the end of its reply")
    values = dict.fromkeys(value for verdict in verdicts for value in verdict.values)
    if len(values) > 1:
        named = " and ".join(str(value) for value in values)
        return NoChoice(f"gave different {kind.field}s in one reply, {named}")
    closing = verdicts[-1]
    reason = own[: closing.start].strip() if closing.reason is None else closing.reason
    return Choice(closing.values[0], reason)


def _verdicts(own: str, kind: Kind) -> Iterator[_Verdict]:
    """All verdicts in their order: objects, and lines outside of them."""
    place = 0
    while place < len(own):
        brace, newline = own.find("{", place), own.find("\n", place)
        end_of_line = len(own) if newline < 0 else newline
        if place <= brace < end_of_line:
            found = _object(own, kind, brace)
            if found is not None:
                before = own[own.rfind("\n", 0, brace) + 1 : brace].strip(" *_>")
                after = own[found.end :].partition("\n")[0].strip(" *_.")
                # Behind a word it must be whole, as it was asked for, and the line's last, to be more than a quotation.
                if found.values and (not before or (found.reason is not None and not after)):
                    yield found
                place = found.end
                continue
        if values := _of_line(own[place:end_of_line], kind, is_last=newline < 0):
            yield _Verdict(values, place, end_of_line)
        place = end_of_line + 1


def _of_line(line: str, kind: Kind, *, is_last: bool) -> tuple[str | int, ...]:
    """The choices that a line names which holds nothing else; one in bold alone is a heading but at the end."""
    bold = _BOLD.fullmatch(line.strip())
    if bold:
        return _known([bold.group(1)], kind) if is_last else ()
    found = _LINE.fullmatch(" ".join(_ORNAMENT.sub("", line).split()))
    if found is None:
        return ()
    if found["bracketed"]:
        return _known(re.findall(_BRACKETED, found["bracketed"]), kind)
    if found["of_ten"] and not isinstance(kind.choices[0], int):
        return ()
    return _known([found["labelled"] or found["of_ten"]], kind)


def _known(names: list[str], kind: Kind) -> tuple[str | int, ...]:
    """Those that may be chosen, each once; none at all where one of them may not."""
    values = [next((value for value in kind.choices if str(value) == name.upper()), None) for name in names]
    return tuple(dict.fromkeys(value for value in values if value is not None)) if None not in values else ()


def _object(own: str, kind: Kind, start: int) -> _Verdict | None:
    """The object of JSON that begins there; without a value where it has not the field, or no choice in it."""
    try:
        fields, end = json.JSONDecoder(object_pairs_hook=_Pairs, strict=False).raw_decode(own, start)
    except (ValueError, RecursionError):
        return None
    assert isinstance(fields, _Pairs)
    given = [_chosen(value, kind) for name, value in fields if name == kind.field]
    values = tuple(dict.fromkeys(value for value in given if value is not None)) if None not in given else ()
    reason = next((_text(value) for name, value in fields if name == "reason"), None)
    return _Verdict(values, start, end, reason)


def _text(value: object) -> str:
    """A reason, fit to be stored: JSON can write half a surrogate pair, which no encoding has, and any nesting."""
    try:
        text = str(value)
    except RecursionError:
        return ""
    return text.encode("utf-8", "replace").decode("utf-8")


class _Pairs(list[tuple[str, object]]):
    """An object's fields in their order, also those that stand there twice."""


def _chosen(value: object, kind: Kind) -> str | int | None:
    """The choice that a field's value names: `"a"`, `"[[A]]"`, 7, 7.0 and `"7"`, and never true for 1."""
    if isinstance(value, str):
        name = value.strip().strip("*[]").strip()
    elif isinstance(value, float) and value.is_integer():
        name = str(int(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        name = str(value)
    else:
        return None
    return next((choice for choice in kind.choices if str(choice) == name.upper()), None)
