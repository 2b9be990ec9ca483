"""What a run evaluates of conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.conversation import ConversationSettings

if TYPE_CHECKING:
    from mplus_eval.spec.suite import Suite


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
