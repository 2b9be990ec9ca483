"""What whoever asks for a training hands in: who is told of it, and how saved steps are evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.training.recipe import Recipe

Progress = Callable[[str, int, int], None]
"""Called after every step with what is done, the steps done and the steps in all."""

Say = Callable[[str], None]
"""Told of warnings in a sentence."""

Evaluate = Callable[[Recipe, Path], object]
"""Evaluates the saved steps in a directory of a model that is being trained by a recipe."""


@dataclass(frozen=True)
class Hooks:
    """All of it; without `evaluate` no stage can be evaluated in this process."""

    progress: Progress
    say: Say
    evaluate: Evaluate | None = None
