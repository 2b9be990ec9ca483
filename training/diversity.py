"""How varied answers are: shares of what is not a repetition.

the cat sat on the cat     2-grams: the-cat, cat-sat, sat-on, on-the, the-cat     distinct-2: 4 of 5
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence


def distinct_n(answers: Iterable[Sequence[Hashable]], n: int) -> float:
    """Share of distinct n-grams among all n-grams of all answers together (Li et al., 1510.03055).

    Args:
        answers: each a sequence of tokens: token ids, or words.
        n: tokens of one n-gram.

    Returns:
        In (0, 1]; 1 where no answer is long enough to have an n-gram, since nothing is repeated there.
    """
    n_grams = [tuple(answer[start : start + n]) for answer in answers for start in range(len(answer) - n + 1)]
    return share_distinct(n_grams)


def share_distinct(values: Sequence[Hashable]) -> float:
    """Share of values that are not the same as one before; 1 where there are none."""
    return len(set(values)) / len(values) if values else 1.0
