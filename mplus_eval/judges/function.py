"""A function as a judge: each answer gets a number, and the higher one is preferred.

    def shorter(prompt: str, answer: str, ended: bool) -> float:
        return -len(answer)

Whether an answer ended its turn is not told to a judge, so a function is told that it did.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from mplus_eval.data.hub import reason
from mplus_eval.errors import SpecError
from mplus_eval.judges.base import LOSS, TIE, WIN, JudgeContext, Judgement, JudgeWeights, OnJudged, PairwiseItem
from mplus_eval.store.hashes import hash_components


def faults(detail: str, where: str) -> list[str]:
    """Return why there is no such function."""
    from mplus_eval.rewards.functions import load_function

    try:
        load_function(detail)
    except SpecError as error:
        return [f"{where}: {fault}" for fault in error.faults]
    return []


def refuse_unnamed(detail: str, folder: Path | None) -> str | None:
    """Why a function that a suite names may not be called, or None where it may.

    The package's own may, and those of modules in a folder that was named on the command line; a suite may be somebody
    else's, and to name one is not to have its code run.

    Args:
        detail: `module:function`.
        folder: the one that was named; its modules can be imported from here on.
    """
    module = detail.partition(":")[0].partition(".")[0]
    if module == __name__.partition(".")[0]:
        return None
    if folder is not None and str(folder.resolve()) not in sys.path:
        sys.path.append(str(folder.resolve()))
    # What is imported by that name must not be something else, such as a module of the working directory.
    try:
        found = find_spec(module) if module.isidentifier() else None
    except (ImportError, ValueError):
        found = None
    origin = Path(found.origin).resolve() if found is not None and found.origin else None
    if folder is not None and origin is not None and origin.is_relative_to(folder.resolve()):
        return None
    return (
        f"the suite names code outside the package, in module {module!r}; name it again with "
        f"--judge function:{detail}, or its folder with --tasks-dir"
    )


def load(detail: str, context: JudgeContext) -> FunctionJudge:
    """The judge of a function."""
    return FunctionJudge.load(detail)


def weights(detail: str) -> JudgeWeights:
    """A function has none."""
    return JudgeWeights()


@dataclass(frozen=True)
class FunctionJudge:
    """Calls a function for each answer to the turn that is judged."""

    path: str
    function: Callable[[str, str, bool], float]

    @classmethod
    def load(cls, path: str) -> Self:
        """Take `module:function`.

        Raises:
            SpecError: when there is none.
        """
        from mplus_eval.rewards.functions import load_function

        return cls(path, load_function(path))

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.path.rpartition(":")[2]

    @property
    def fingerprint(self) -> str:
        """Of the function's name only: what it does is the user's to keep apart."""
        return hash_components({"judge": "function", "path": self.path})

    def judge(self, items: Sequence[PairwiseItem], on_judged: OnJudged | None = None) -> list[Judgement]:
        """Judge pairs; equal numbers are a tie, and a pair is unjudged where the function raises or gives NaN."""
        judgements = []
        for place, item in enumerate(items):
            judgements.append(self._judgement(item))
            if on_judged is not None:
                on_judged(place, judgements[-1])
        return judgements

    def _judgement(self, item: PairwiseItem) -> Judgement:
        prompt = item.question.turns[item.turn - 1]
        try:
            first, second = (float(self.function(prompt, answers[-1], True)) for answers in (item.first, item.second))
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; its cause is kept
            return Judgement(None, cause=f"{self.name} raised {type(error).__name__}: {reason(error)}")
        if math.isnan(first) or math.isnan(second):
            return Judgement(None, cause=f"{self.name} gave no number")
        preference = WIN if second > first else LOSS if second < first else TIE
        return Judgement(preference, margin=second - first)
