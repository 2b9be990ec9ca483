"""Leaves out of training what will be evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mplus_eval.training.data.rows import Prompt, last_user_message

RUN = 13
"""Words that two prompts must have in a row to count as one (Brown et al., arXiv 2005.14165, appendix C)."""


def without_evaluated(prompts: Sequence[Prompt], evaluated: Sequence[Prompt]) -> tuple[tuple[Prompt, ...], int]:
    """Drop prompts whose last user message is an evaluated one, or shares thirteen words in a row with one.

    Case, punctuation and spaces do not count. Prompts that stand twice stay twice.

    Returns:
        What is kept, in order, and how many were dropped.
    """
    texts = [normalised(last_user_message(prompt.messages)) for prompt in evaluated]
    same, runs = set(texts), {run for text in texts for run in _runs(text)}
    kept = tuple(prompt for prompt in prompts if not _is_evaluated(prompt, same, runs))
    return kept, len(prompts) - len(kept)


def normalised(text: str) -> str:
    """Words in lower case with single spaces between them.

    >>> normalised("How  are you, Ann?")
    'how are you ann'
    """
    return " ".join(re.findall(r"\w+", text.casefold()))


def _is_evaluated(prompt: Prompt, same: set[str], runs: set[str]) -> bool:
    text = normalised(last_user_message(prompt.messages))
    return text in same or any(run in runs for run in _runs(text))


def _runs(text: str) -> Iterator[str]:
    words = text.split()
    for start in range(len(words) - RUN + 1):
        yield " ".join(words[start : start + RUN])
