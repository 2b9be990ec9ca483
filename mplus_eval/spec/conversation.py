"""What a suite says of conversation: which dialogues, how they are asked, and who judges."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mplus_eval.spec.fields import Fields, Name, Positive

MARGIN = 0.02
"""How far below one half a win rate may lie and count as preserved."""


class ConversationSettings(Fields):
    """All of it. Answers are greedy unless a temperature is given, so that a second run says the same."""

    name: Name = Field(default="dialogues", description="in the report and on disk")
    dialogues: str = Field(description="demo, mt_bench, a file, a folder, or an id of the hub")
    split: str | None = None
    max_new_tokens: Positive = 512
    temperature: float = Field(default=0.0, ge=0, description="0 for greedy answers")
    top_p: float = Field(default=1.0, gt=0, le=1)
    judges: tuple[str, ...] = Field(
        default=(), max_length=2, description="the first decides; a reward model that is found is taken when empty"
    )
    grades: bool = Field(default=True, description="whether a language model that judges also grades single answers")
    margin: Annotated[float, Field(gt=0, lt=0.5)] = MARGIN
