"""Few-shot examples told apart from the question that a prompt ends with.

A prompt of lm-eval is a description, the examples and the question, with an empty line between them:

    The following are multiple choice questions about plums.
                                                                  ⎫
    Question: How many?  Answer: three                            ⎬ folded
                                                                  ⎭
    Question: Which colour?  Answer:                              the question

Only the joined text is stored, and an example may hold empty lines of its own. So what all prompts of a subject share
is taken for examples where it holds enough of them; where examples are drawn anew for each item, all texts are taken
to be of about as many paragraphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from os.path import commonprefix

SEPARATOR = "\n\n"


def question_starts(prompts: Sequence[str], n_shots: int, *, has_description: bool = False) -> list[int]:
    """Where in each prompt of one subject the question begins; 0 where nothing comes before it or it cannot be told.

    Args:
        prompts: of one subject.
        n_shots: examples in each of them.
        has_description: whether a description of one paragraph comes before the examples.
    """
    if not n_shots:
        return [0] * len(prompts)
    shared = _shared_start(prompts)
    if shared.count(SEPARATOR) >= n_shots:
        return [len(shared)] * len(prompts)
    return [_start_by_paragraphs(prompt, n_shots, has_description) or len(shared) for prompt in prompts]


def paragraphs(examples: str) -> list[str]:
    """The text before a question in paragraphs, which many prompts have in common."""
    return examples.removesuffix(SEPARATOR).split(SEPARATOR) if examples else []


def _shared_start(prompts: Sequence[str]) -> str:
    """What different prompts share, up to an empty line; nothing where there is one alone, or no question is left."""
    different = set(prompts)
    shared = commonprefix(list(different)) if len(different) > 1 else ""  # noqa: RUF071 - characters, not paths
    shared = shared[: shared.rfind(SEPARATOR) + len(SEPARATOR)] if SEPARATOR in shared else ""
    return "" if shared in different else shared


def _start_by_paragraphs(prompt: str, n_shots: int, has_description: bool) -> int:
    """Where the last of as many texts of equally many paragraphs begins; 0 where there are too few."""
    every = prompt.split(SEPARATOR)
    n = len(every) - has_description
    if n <= n_shots:
        return 0
    return len(prompt) - len(SEPARATOR.join(every[-ceil(n / (n_shots + 1)) :]))
