"""Leaves out of training what will be evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mplus_eval.training.data.rows import OpenDialogue

RUN = 13
"""Words that two prompts must have in a row to count as one (Brown et al., arXiv 2005.14165, appendix C)."""


def without_evaluated(
    prompts: Sequence[OpenDialogue], evaluated: Sequence[OpenDialogue]
) -> tuple[tuple[OpenDialogue, ...], int]:
    """Drop prompts whose last user message is an evaluated one, or shares thirteen words in a row with one.

    Case, punctuation and spaces do not count. Prompts that stand twice stay twice.

    Returns:
        What is kept, in order, and how many were dropped.
    """
    texts = {normalised(prompt.last_user_message) for prompt in evaluated}
    runs = {run for text in texts for run in _runs(text)}
    others = tuple(
        prompt
        for prompt in prompts
        if (text := normalised(prompt.last_user_message)) not in texts and runs.isdisjoint(_runs(text))
    )
    return others, len(prompts) - len(others)


def normalised(text: str) -> str:
    """Words in lower case with single spaces between them.

    >>> normalised("How  are you, Ann?")
    'how are you ann'
    """
    return " ".join(re.findall(r"\w+", text.casefold()))


def _runs(text: str) -> Iterator[str]:
    words = text.split()
    for start in range(len(words) - RUN + 1):
        yield " ".join(words[start : start + RUN])
