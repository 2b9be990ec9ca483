"""Which judges a run has: those that were named, else the suite's, else the reward models that lie beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.judges.reward import BESIDE, reward_model_beside
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.conversation import conversation_of
from mplus_eval.spec.suite import Suite


def chosen_judges(spec: CompareSpec, suite: Suite, directories: Sequence[Path | None]) -> tuple[str, ...]:
    """The judges of a run, the one that decides first; those of `BESIDE` lie beside one of the models.

    Args:
        spec: what was asked for.
        suite: with its settings of conversation.
        directories: of the models; None of a server's.
    """
    settings, _ = conversation_of(spec, suite)
    if settings is None or len(directories) < 2:
        return spec.judges
    if spec.judges:
        return settings.judges
    absent = [name for name in BESIDE if reward_model_beside(directories, name) is None]
    return tuple(judge for judge in settings.judges or tuple(BESIDE) if judge not in absent)
