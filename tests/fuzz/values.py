"""Strategies of hypothesis for what stands in files: documents that are nearly right, and files that are damaged.

A document that is wrong throughout is refused at its first key, so most of what is thrown is a whole one with one to
three places changed: an odd value, a key too many or too few, another nesting.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st

DEEP = 300
"""Levels of nesting that JSON and YAML can write in a line, and that recursion does not bear twice."""

RAW = (
    *(
        "1_000",
        ".inf",
        "-.inf",
        ".nan",
        "1e400",
        "-1e400",
        "1e308",
        "0x1F",
        "0o17",
        "017",
        "190:20:30",
        "1e5",
        "5e-324",
    ),
    *("9" * 400, "9" * 5000, str(2**63), "-1", "-0", "0.0", "2001-12-14", "2001-12-14t21:59:43.10-05:00", "12:30"),
    *("~", "null", "yes", "off", "true", "!!binary aGk=", "!!set {a, b}", "!!omap [a: 1]", "!!timestamp 2001-01-01"),
    *("!!python/object/apply:os.system [echo]", "!function os.system", "!unknown x", "[" * DEEP + "]" * DEEP),
    *("{a: " * DEEP + "1" + "}" * DEEP, "&a [*a]", "*missing", "{1: 2}", "{[1]: 2}", "{? {a: 1} : 2}", "{~: 1}"),
    *("{<<: 1}", "{<<: {a: 1}}", "{a: 1, a: 2}", "|\n    x", "''", '"\\ud800"', '"\\0"', '"\\e[31m"', "- 1"),
)
"""Scalars and collections as YAML writes them, each of a kind that a reader may not expect."""

ODD_TEXTS = (
    *("", " ", "\x00", "a\x00b", "\ud800", "\udfff.yaml", "\x1b[31mred", "\r\n", "\u202e", "é", "null", "../../x", "/"),
    *("a/b", "..", ".", "~", "~nobody/x", "x" * 300, "x" * 5000, "/" + "y/" * 3000, "C:\\x", "file:///etc/passwd"),
    *("http://127.0.0.1:1/v1", "http://[", "{{", "{% for", "{{ 1/0 }}", "{{ x.y.z }}", "%s", "a=b", "-1", "1e9", "nan"),
)

odd_numbers = st.sampled_from(
    [0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.0, -0.0, 5e-324, 1e308, float("inf"), float("nan"), 1.5]
)
odd_texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=8)
odd_scalars = st.none() | st.booleans() | odd_numbers | odd_texts
odd_values = st.recursive(
    odd_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3),
    max_leaves=6,
)
deep_values = st.sampled_from([[], {}]).map(lambda start: _nested(start, DEEP))


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value] if isinstance(value, list) else {"a": value}
    return value


def places(document: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value of a document but the document itself."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    found: list[tuple[Any, ...]] = []
    for key, value in list(entries):
        found.append((*before, key))
        if isinstance(value, dict | list):
            found += places(value, (*before, key))
    return found


def _change(draw: Callable[[st.SearchStrategy[Any]], Any], document: Any, values: st.SearchStrategy[Any]) -> None:
    way = draw(st.sampled_from(places(document)))
    for key in way[:-1]:
        document = document[key]
    match draw(st.sampled_from(("value", "value", "value", "delete", "add", "wrap"))):
        case "value":
            document[way[-1]] = draw(values)
        case "delete":
            del document[way[-1]]
        case "wrap":
            document[way[-1]] = draw(st.sampled_from(([document[way[-1]]], {"x": document[way[-1]]})))
        case "add" if isinstance(document, dict):
            document[draw(odd_texts)] = draw(values)
        case _:
            document.append(draw(values))


@st.composite
def changed(draw: Any, document: Any, values: st.SearchStrategy[Any] = odd_values | deep_values) -> Any:
    """A document with one to three places changed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        if places(document):
            _change(draw, document, values)
    return document


@st.composite
def json_bytes(draw: Any, document: Any) -> bytes:
    """The document as JSON, changed or damaged."""
    return draw(damaged(json.dumps(draw(changed(document))).encode("utf-8", "surrogatepass")))


@st.composite
def yaml_bytes(draw: Any, document: Any) -> bytes:
    """The document as YAML, changed, also into what YAML alone can write, or damaged."""
    raw: list[str] = []

    def mark(text: str) -> str:
        raw.append(text)
        return f"raw{len(raw) - 1}value"

    values = st.sampled_from(RAW).map(mark) | odd_scalars.filter(_has_yaml) | deep_values
    text = yaml.safe_dump(draw(changed(document, values)), sort_keys=False, allow_unicode=True)
    text = re.sub(r"raw(\d+)value", lambda found: raw[int(found[1])], text)
    if draw(st.integers(0, 19)) == 0:
        text = _bomb() + text
    return draw(damaged(text.encode("utf-8", "surrogatepass")))


def _has_yaml(value: Any) -> bool:
    try:
        yaml.safe_dump(value)
    except (ValueError, UnicodeError, yaml.YAMLError):
        return False
    return True


def _bomb() -> str:
    """A billion values in nine lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines) + "\n"


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """Content as it is, most often; else cut, with bytes changed, or with others in front."""
    match draw(st.sampled_from(("whole", "whole", "whole", "whole", "whole", "cut", "flip", "before", "empty"))):
        case "cut":
            return content[: draw(st.integers(0, len(content)))]
        case "flip" if content:
            place = draw(st.integers(0, len(content) - 1))
            return content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]
        case "before":
            return draw(st.sampled_from((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x80", b"{", b"\t"))) + content
        case "empty":
            return b""
    return content
