"""A run of dialogues as its statistics see it: who is compared, by whom it was judged, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mplus_eval.audit.differences import Auditor
from mplus_eval.conversation.items import DialogueTask
from mplus_eval.judges.base import JudgeWeights


@dataclass(frozen=True)
class ConversationRun:
    """Who is compared, by whom it was judged, and how.

    Attributes:
        task: the dialogues, and how they were put.
        judges: fingerprints by name, in the order of their numbers.
        judge_sources: how they were named, in the same order.
        judge_weights: what they are made of, likewise.
        baseline: one of the models.
        auditor: of the models, in the order of the report.
        level: of tests and intervals.
        seed: of permutations.
    """

    task: DialogueTask
    judges: Mapping[str, str]
    judge_sources: Sequence[str]
    judge_weights: Sequence[JudgeWeights]
    baseline: str
    auditor: Auditor
    level: float
    seed: int

    @property
    def models(self) -> list[str]:
        """Their names, in the order of the report."""
        return list(self.auditor.models)
