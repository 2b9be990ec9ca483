"""What models spent on reasoning before their answers: the part `thinking` of `comparison.json`."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.base import Record


class ThinkingSpent(Record):
    """One model's reasoning on one task, prompt set or set of dialogues."""

    n_answers: int = Field(description="generated, with reasoning or without")
    n_with_thinking: int = Field(default=0, description="of these, answers that came after reasoning")
    n_unclosed: int = Field(
        default=0, description="answers whose reasoning never ended, so that there is none: an empty text, scored so"
    )
    mean_tokens: float | None = Field(
        default=None, description="tokens of reasoning over all answers; absent where nobody counts them"
    )
    skipped: bool = Field(
        default=False, description="choices were scored in the place of reasoning that the template begins"
    )
