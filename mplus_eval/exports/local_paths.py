"""What leaves this machine says nothing of its folders: a local path becomes its last name.

/home/jo/runs/plus  →  plus          mistralai/Mistral-7B-v0.1, https://…, demo:base  →  as they are
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_START = r"(?:~[\w.-]*|\.{1,2}|[A-Za-z]:|\\\\[\w.-]+)?"
_WHOLE = re.compile(rf"{_START}[/\\][^\n]*")
"""A text that is a path and nothing else; it may hold spaces."""
_WITHIN = re.compile(rf"(?<![\w:/\\.~-]){_START}[/\\](?![\s/])[^\s,;:\"'=()\[\]{{}}<>|]+")
"""A path within a text. After a letter, a colon or a slash it is a part of a hub id or of an address."""
_FILE_URL = re.compile(r"file:/+[^\s\"']*")


def without_local_paths(value: Any) -> Any:
    """A value of JSON, all of its texts and keys without local paths.

    >>> without_local_paths({"base": "/home/jo/my models/base", "why": "~/data/x.jsonl, row 3", "id": "org/name"})
    {'base': 'base', 'why': 'x.jsonl, row 3', 'id': 'org/name'}
    """
    if isinstance(value, str):
        return _shortened(value)
    if isinstance(value, dict):
        return {without_local_paths(key): without_local_paths(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(each) for each in value]
    return value


def _shortened(text: str) -> str:
    if _WHOLE.fullmatch(text) and ": " not in text:
        return _last(text)
    # A home may have a space in its name, by which a path within a text would end too soon.
    for folder in (str(Path.cwd()), str(Path.home())):
        if len(folder) > 1:
            text = text.replace(folder, "~")
    return _WITHIN.sub(lambda match: _last(match[0]), _FILE_URL.sub(lambda match: _last(match[0]), text))


def _last(path: str) -> str:
    return re.split(r"[/\\]+", path.rstrip("/\\"))[-1] or "…"
