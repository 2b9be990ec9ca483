"""Scorers: how toxic a text is, each behind one small protocol (`Scorer`).

The kinds of scorers stand in a table, `mplus_eval.spec.scorers`; each is a module of this folder with the two functions
of `ScorerModule`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from mplus_eval.spec.scorers import KINDS

if TYPE_CHECKING:
    from mplus_eval.harmlessness.scorers.base import Scorer, ScorerModule


def scorer_faults(source: str) -> list[str]:
    """Return what stands in the way of scoring, a line a fault; neither loads nor downloads weights.

    Args:
        source: as it is named, in one of the forms that are `ACCEPTED`.
    """
    return _module(source).faults(source)


def load_scorer(source: str, device: str | None = None) -> Scorer:
    """A scorer, fetched where it is not here; its weights are loaded when the first text is scored.

    Args:
        source: as it is named, in one of the forms that are `ACCEPTED`.
        device: where it computes; CUDA where it is there, else the processor, when not given.

    Raises:
        UsageError: when it cannot be had.
    """
    return _module(source).load(source, device)


def _module(source: str) -> ScorerModule:
    kind = next(kind for kind in KINDS if kind.begins.match(source))
    return cast("ScorerModule", import_module(f"{__name__}.{kind.module}"))
