"""What a suite says of conversation: which dialogues, how they are asked, and who judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.fields import Fields, Name, Positive

if TYPE_CHECKING:
    from mplus_eval.spec.suite import Suite

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
        default=(),
        max_length=2,
        description="the first decides; reward models that are found when empty",
    )
    grades: bool = Field(default=True, description="whether a language model that judges also grades single answers")
    margin: Annotated[float, Field(gt=0, lt=0.5)] = MARGIN


def conversation_of(spec: CompareSpec, suite: Suite) -> tuple[ConversationSettings | None, list[str]]:
    """What a run evaluates of conversation, None where nothing; and what is wrong with what was asked for.

    It is on where the suite has settings, unless single tasks were named or it was switched off. Whether there is a
    judge is known only when the models are there.
    """
    settings = suite.conversation
    wanted = spec.conversation if spec.conversation is not None else spec.tasks is None or bool(spec.judges)
    if not wanted or settings is None:
        asked = spec.conversation or (spec.conversation is None and bool(spec.judges))
        return None, [f"suite {suite.name!r} has no settings of conversation"] if asked else []
    changes: dict[str, object] = {}
    if spec.judges:
        changes["judges"] = spec.judges
    if spec.dialogues:
        changes["dialogues"] = spec.dialogues
    return settings.model_copy(update=changes), []
