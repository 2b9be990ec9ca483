"""What follows from the settings of a stage."""

from __future__ import annotations

from typing import Any

from mplus_eval.training.recipe import RlhfStage
from tests.training.small import PLUS


def test_steps_between_batches_of_answers_follow_from_the_settings() -> None:
    def steps(**changes: Any) -> float:
        return RlhfStage.model_validate({**PLUS, "save_every": None, **changes}).steps_per_batch_of_answers

    assert steps() == 1
    assert steps(accumulate=4) == 1
    assert steps(steps_per_generation=8, accumulate=2) == 4
    assert steps(iterations=3) == 3
