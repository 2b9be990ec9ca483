"""What became of every item with a model, compared with the baseline: one letter an item, by which the list filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

LOST, GAINED, SAME, BOTH_WRONG, OTHER_WRONG, FAILED, ABSENT = "lg=wof-"
"""Of the baseline itself: `=`, or `w` where it is wrong. `-` is an item that is not there, or cannot be compared."""
CHANGED = frozenset((LOST, GAINED, OTHER_WRONG, FAILED))
"""The states for which an item is kept where only flips are."""

_SAME = 1e-9


class Result(NamedTuple):
    """One model on one item.

    Attributes:
        score: as it is shown; None where the item failed or was passed over.
        value: the same turned so that more is better.
        answer: what the model is taken to have said.
        failed: whether there is a cause for which there is no score.
    """

    score: float | None = None
    value: float | None = None
    answer: str | None = None
    failed: bool = False


def states(base: Sequence[Result | None], own: Sequence[Result | None], wrong: float | None = 0.0) -> str:
    """The state of every item, a letter each.

    Args:
        base: the baseline's results; None where an item is not stored.
        own: the model's, of the same items; the baseline's own are compared with themselves.
        wrong: the value that means wrong; None where none does.
    """
    return "".join(_state(first, second, wrong) for first, second in zip(base, own, strict=True))


def kept(of_models: Iterable[str]) -> list[int]:
    """The items that changed or failed with any model, by their places.

    Args:
        of_models: every model's states.
    """
    return [place for place, letters in enumerate(zip(*of_models, strict=True)) if CHANGED & set(letters)]


def _state(base: Result | None, own: Result | None, wrong: float | None) -> str:
    if own is not None and own.failed:
        return FAILED
    if base is None or own is None or base.value is None or own.value is None:
        return ABSENT
    if abs(gain := own.value - base.value) > _SAME:
        return LOST if gain < 0 else GAINED
    if own.value != wrong:
        return SAME
    is_other = None not in (base.answer, own.answer) and base.answer != own.answer
    return OTHER_WRONG if is_other else BOTH_WRONG
