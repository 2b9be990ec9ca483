"""At least how long a thing becomes that grows its input: told before it is made, since one step may make 10 GB."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from mplus_eval.sandbox.budget import A_VALUE, MOST_CHARACTERS, TemplateLimitError, characters

_MOST_BITS = 10_000
_FAR = re.compile(r"\d{5}|\*|\{[^{}]*\{")
"""In a format: a width of five digits, or one that an argument gives."""


def size_of_binop(operator: str, left: Any, right: Any) -> int:
    """At least as long as what an operation would make."""
    if operator == "%":
        return _formatted(left) if isinstance(left, str | bytes) else 0
    if operator == "**":
        bits = left.bit_length() * right if isinstance(left, int) and isinstance(right, int) else 0
        return _refuse("a number") if bits > _MOST_BITS else 0
    if operator == "*":
        if isinstance(left, int) and isinstance(right, int):
            return _refuse("a number") if left.bit_length() + right.bit_length() > _MOST_BITS else 0
        number, other = (left, right) if isinstance(left, int) else (right, left)
        return characters(other) * max(number, 0) if isinstance(number, int) else 0
    return 0


def _refuse(what: str) -> NoReturn:
    raise TemplateLimitError(f"it makes {what} that is too large")


def _formatted(text: Any, *_: Any) -> int:
    """Refuse a format whose widths nobody can foresee, or that are large."""
    return _refuse("a format with a width") if _FAR.search(str(text)) else 0


def _widest(_: Any, *arguments: Any) -> int:
    return max((each for each in arguments if isinstance(each, int)), default=0)


def _per_line(text: Any, *arguments: Any) -> int:
    added = max([_widest(text, *arguments), *(len(each) for each in arguments if isinstance(each, str))])
    return added * (str(text).count("\n") + 1)


def _tabs(text: Any, *arguments: Any) -> int:
    return str(text).count("\t") * _widest(text, *arguments)


def _replaced(text: Any, *arguments: Any) -> int:
    old, new = (str(each) for each in (*arguments[:2], "", "")[:2])
    return len(str(text)) + str(text).count(old) * len(new)


def _strung(values: Any, separator: Any = "", *_: Any) -> int:
    return characters(values) + len(values) * len(str(separator)) if hasattr(values, "__len__") else 0


def _strung_by(separator: Any, values: Any = (), *_: Any) -> int:
    return _strung(values, separator)


def _extended(_: Any, more: Any = (), *__: Any) -> int:
    return A_VALUE * len(more) if hasattr(more, "__len__") else 0


def _summed(values: Any, *arguments: Any) -> int:
    """Numbers alone: lists would be copied for each that is added."""
    return _refuse("a sum of lists") if any(isinstance(each, list | tuple) for each in arguments) else 0


def _rounded(_: Any, *arguments: Any) -> int:
    return _refuse("a number") if abs(_widest(_, *arguments)) > _MOST_BITS // 4 else 0


def _dumped(value: Any, *arguments: Any) -> int:
    return characters(value) * (1 + min(_widest(value, *arguments), MOST_CHARACTERS))


def _refused(*_: Any) -> int:
    return _refuse("a text in a way")


_WIDENED = dict.fromkeys(("center", "ljust", "rjust", "zfill"), _widest)
GROWN_BY_METHOD: dict[str, Callable[..., int]] = {
    **_WIDENED,
    **dict.fromkeys(("to_bytes", "translate", "maketrans", "format_map"), _refused),
    **dict.fromkeys(("strftime", "strftime_now"), lambda *arguments: sum(map(_formatted, arguments))),
    "expandtabs": _tabs,
    "extend": _extended,
    "format": _formatted,
    "join": _strung_by,
    "replace": _replaced,
    "update": _extended,
}
GROWN_BY_FILTER: dict[str, Callable[..., int]] = {
    "batch": _widest,
    "center": _widest,
    "format": _formatted,
    "indent": _per_line,
    "join": _strung,
    "replace": _replaced,
    "round": _rounded,
    "slice": _widest,
    "sum": _summed,
    "tojson": _dumped,
}
