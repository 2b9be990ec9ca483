"""Stable ids of what can be linked to, made of names that may hold anything.

`#task-gsm8k`, `#subject-mmlu-anatomy`, `#model-plus`, `#dialogue-12`, `#example-provoking-7`: the same name gives the
same id in every report, and two names never give one. What is not fit for an id is replaced, and the name's hash put
behind it. The items' explorer reads its state from the fragment, so a link to items carries a query instead.
"""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import quote, urlencode

ITEMS = "#items"
LONGEST = 80


def anchor(kind: str, *names: str) -> str:
    """An id that stands for one or more names.

    >>> anchor("task", "arc_easy"), anchor("subject", "a-b", "c"), anchor("subject", "a", "b-c")
    ('task-arc_easy', 'subject-a-b-c-695274f6', 'subject-a-b-c')
    """
    joined = "-".join(names)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", joined)[:LONGEST]
    # A hyphen in another name than the last would let two lists of names be joined to one.
    if plain == joined and not any("-" in name for name in names[:-1]):
        return f"{kind}-{plain}"
    return f"{kind}-{plain.strip('-')}-{sha256(chr(0).join(names).encode(errors='replace')).hexdigest()[:8]}"


def items_link(task: str, model: str, show: str) -> str:
    """A link to the items of one task that a model lost or gained.

    >>> items_link("arc_easy", "plus", "lost")
    '#items?task=arc_easy&model=plus&show=lost'
    """
    state = {"task": task, "model": model, "show": show}
    return f"{ITEMS}?{urlencode(state, quote_via=quote, errors='replace')}"


def is_items_link(href: str) -> bool:
    """Whether a link leads to single items."""
    return href.startswith(ITEMS)
