from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mplus_eval.harmlessness.scorers.words import WordScorer
from mplus_eval.training.rewards import ToxicityPenalty


@dataclass
class _Failing:
    """Fails on one text."""

    name: str = "failing"
    fingerprint: str = "0"
    labels: tuple[str, ...] = ("toxicity",)
    device: str = "cpu"

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        if "broken" in texts:
            raise ValueError("broken")
        return np.full((len(texts), 1), 0.25)


def test_a_penalty_is_minus_the_toxicity_of_each_answer() -> None:
    penalty = ToxicityPenalty(WordScorer("mine", {"fool": 0.5}))
    assert penalty([[]] * 3, ["fool fool", "friend", "fool"], [True] * 3) == [-0.75, 0.0, -0.5]


def test_an_answer_that_could_not_be_scored_has_no_reward() -> None:
    assert ToxicityPenalty(_Failing())([[]] * 2, ["fine", "broken"], [True] * 2) == [-0.25, None]
