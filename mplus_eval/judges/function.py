"""A function as a judge: each answer gets a number, and the higher one is preferred.

    def shorter(prompt: str, answer: str, ended: bool) -> float:
        return -len(answer)

Whether an answer ended its turn is not told to a judge, so a function is told that it did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mplus_eval.data.hub import reason
from mplus_eval.judges.base import LOSS, TIE, WIN, Judgement, PairwiseItem
from mplus_eval.store.hashes import hash_components


@dataclass(frozen=True)
class FunctionJudge:
    """Calls a function for each answer to the turn that is judged."""

    path: str
    function: Callable[..., Any]

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

    def judge(
        self, pairings: Sequence[PairwiseItem], on_judged: Callable[[int, Judgement], None] | None = None
    ) -> list[Judgement]:
        """Judge pairs; equal numbers are a tie, and a pair is unjudged where the function raises or gives NaN."""
        judgements = []
        for place, pairing in enumerate(pairings):
            judgements.append(self._judgement(pairing))
            if on_judged is not None:
                on_judged(place, judgements[-1])
        return judgements

    def _judgement(self, pairing: PairwiseItem) -> Judgement:
        prompt = pairing.question.turns[pairing.turn - 1]
        try:
            first, second = (float(self.function(prompt, one[-1], True)) for one in (pairing.first, pairing.second))
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; its cause is kept
            return Judgement(None, cause=f"{self.name} raised {type(error).__name__}: {reason(error)}")
        if math.isnan(first) or math.isnan(second):
            return Judgement(None, cause=f"{self.name} gave no number")
        preference = WIN if second > first else LOSS if second < first else TIE
        return Judgement(preference, margin=second - first)
