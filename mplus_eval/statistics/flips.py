"""Flips: items on which two models part, also where the score hides it (Dutta et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SAME = 1e-9

Answers = NDArray[np.object_]
"""What a model is taken to have said to each item; None where there is no answer."""


@dataclass(frozen=True)
class Flips:
    """Counts of items: whose score fell, whose score rose, and wrong before and after with another answer."""

    lost: int
    gained: int
    wrong_to_other_wrong: int


LOST, GAINED, OTHER_WRONG = "lost", "gained", "wrong to other wrong"


def flip_kinds(
    before: ArrayLike, after: ArrayLike, answers_before: Answers, answers_after: Answers, wrong: float = 0.0
) -> Answers:
    """What became of each item from one model to another: `LOST`, `GAINED`, `OTHER_WRONG`, or an empty text.

    Args:
        before: scores, more is better; shape (items,).
        after: scores of the other model on the same items.
        answers_before: what the first model is taken to have said; None where there is no answer.
        answers_after: the same of the other.
        wrong: the score that means wrong.
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    answered = np.array(
        [a is not None and b is not None for a, b in zip(answers_before, answers_after, strict=True)], bool
    )
    both_wrong = (first == wrong) & (second == wrong) & answered
    kinds: Answers = np.full(first.shape, "", dtype=object)
    kinds[second < first - _SAME] = LOST
    kinds[second > first + _SAME] = GAINED
    kinds[both_wrong & (answers_before != answers_after)] = OTHER_WRONG
    return kinds


def count_flips(
    before: ArrayLike, after: ArrayLike, answers_before: Answers, answers_after: Answers, wrong: float = 0.0
) -> Flips:
    """Count the flips from one model to another; see `flip_kinds`."""
    kinds = flip_kinds(before, after, answers_before, answers_after, wrong)
    lost, gained, other_wrong = (int(np.sum(kinds == kind)) for kind in (LOST, GAINED, OTHER_WRONG))
    return Flips(lost=lost, gained=gained, wrong_to_other_wrong=other_wrong)
