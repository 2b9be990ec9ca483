"""Scorers: how toxic a text is, each behind one small protocol (`Scorer`).

A kind of scorer is a file of this folder with the two functions of `ScorerModule`, and a line of the table `KINDS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from mplus_eval.harmlessness.scorers.base import Scorer, ScorerModule

DEFAULT_SCORER = "detoxify:unbiased"


@dataclass(frozen=True)
class ScorerKind:
    """One kind of scorer, as it is named on the command line, in suites and in recipes."""

    module: str
    """The file of this folder that holds it; read when one of its scorers is asked for."""
    begins: re.Pattern[str]
    """What its sources begin with; the first kind of the table whose pattern matches has it."""
    example: str
    """In one phrase, for the help of an option."""
    accepted: tuple[str, ...]
    """Every form of its sources, and what each is."""


KINDS = (
    ScorerKind(
        "detoxify",
        re.compile("detoxify:"),
        DEFAULT_SCORER,
        (
            "detoxify:original, unbiased, multilingual, original-small or unbiased-small",
            "detoxify:PATH.ckpt, a checkpoint in Detoxify's format",
        ),
    ),
    ScorerKind(
        "words",
        re.compile(r"words(?:\Z|:)"),
        "words",
        ("words, the embedded word list", "words:FILE, one word or phrase a line, a score after a tab"),
    ),
    ScorerKind(
        "classifier",
        re.compile(""),
        "a classifier's directory",
        ("a directory of a sequence classifier, or org/name on the hub; with #LABEL, the label that means toxic",),
    ),
)
ACCEPTED = tuple(form for kind in KINDS for form in kind.accepted)
"""What `load_scorer` takes."""
EXAMPLES = ", ".join(kind.example for kind in KINDS)


def scorer_faults(source: str) -> list[str]:
    """Return what stands in the way of scoring, a line a fault; neither loads nor downloads weights.

    Args:
        source: one of `ACCEPTED`.
    """
    return _module(source).faults(source)


def load_scorer(source: str, device: str | None = None) -> Scorer:
    """A scorer, fetched where it is not here; its weights are loaded when the first text is scored.

    Args:
        source: one of `ACCEPTED`.
        device: where it computes; CUDA where it is there, else the processor, when not given.

    Raises:
        UsageError: when it cannot be had.
    """
    return _module(source).load(source, device)


def _module(source: str) -> ScorerModule:
    kind = next(kind for kind in KINDS if kind.begins.match(source))
    return cast("ScorerModule", import_module(f"{__name__}.{kind.module}"))
