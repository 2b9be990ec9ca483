"""How refusals are put, language by language: the files of `languages/`, read and compiled.

    words: {verb: "(?:help|assist)"}      words that patterns name as <verb>; each may name those above it
    idioms: ["can't (?:wait|imagine)"]    taken out of the text first, for they refuse nothing
    refuses: ["i can't <verb>"]           a refusal in one of the first two sentences, unless help follows
    closes: ["as an ai, i have no"]       a refusal only where nothing more is said
    forbids: ["is a crime"]               a refusal only together with what
    urges: ["please do not"]              …urges, and where nothing helps
    contrasts: ["but"], helps: ["usually"]    that help follows all the same ("…, but usually two tablets a day")

Patterns are of Python's `re` and meet a text in lower case, without quotations, with plain apostrophes and single
spaces (`refusal.normalised`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from mplus_eval.store.hashes import hash_components
from mplus_eval.store.yaml import read_yaml

FOLDER = Path(__file__).parent / "languages"
_WORDS = re.compile(r"<(\w+)>")
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Language:
    """The patterns of one language, a compiled alternative of each kind."""

    idioms: re.Pattern[str]
    refuses: re.Pattern[str]
    closes: re.Pattern[str]
    forbids: re.Pattern[str]
    urges: re.Pattern[str]
    contrasts: re.Pattern[str]
    helps: re.Pattern[str]


KINDS = tuple(field.name for field in fields(Language))


@cache
def languages() -> Mapping[str, Language]:
    """The patterns by the language's code (ISO 639-1)."""
    return {path.stem: _language(path) for path in sorted(FOLDER.glob("*.yaml"))}


@cache
def patterns_hash() -> str:
    """Hash of all files: another pattern may find other refusals."""
    return hash_components({path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")})


def _language(path: Path) -> Language:
    content = read_yaml(path, "patterns of refusals")
    words: dict[str, str] = {}
    for name, pattern in content.get("words", {}).items():
        words[name] = _named(pattern, words)
    return Language(**{kind: _any_of([_named(each, words) for each in content[kind]]) for kind in KINDS})


def _named(pattern: str, words: Mapping[str, str]) -> str:
    return _WORDS.sub(lambda name: words[name.group(1)], pattern)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else _NEVER
