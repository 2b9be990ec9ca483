"""Runs of dialogues made by hand: what models said, stored as a run stores it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory

DIALOGUES = (
    Dialogue("1", "math", ("What is 2 + 3?", "And twice that?"), ("5", "10")),
    Dialogue("2", "writing", ("Write a line.", "Now another."), (None, None)),
    Dialogue("3", "writing", ("Say hello.",), (None,)),
)
Say = Callable[[Dialogue, int], str | None]
"""What a model says to a turn, counted from 0; None where it fails."""


def task(**settings: Any) -> DialogueTask:
    """Three dialogues of five turns."""
    return DialogueTask(ConversationSettings(dialogues="x", **settings), DialogueSet("x", DIALOGUES, len(DIALOGUES)))


def store_answers(directory: RunDirectory, model: str, say: Say, chat_format: str = "plain format") -> str:
    """Store a model's answers to all turns; return their fingerprint."""
    answers = []
    for dialogue, turn in task().dialogues.each_turn():
        text = say(dialogue, turn)
        made = {"generations": [text], "ended": True} if text is not None else {"error": "out of memory"}
        answers.append(
            Answer(
                item_id=dialogue.item_id, stratum=dialogue.category, cluster=dialogue.item_id, sample=turn,
                prompt_hash="h", prompt="p", asked=dialogue.turns[turn], **made,
            )
        )  # fmt: skip
    fingerprint = hash_text(model)
    info = PartInfo(fingerprint, {"chat format": chat_format}, 0, 1)
    write_part(part_path(directory.answers(model, "dialogues"), 0), Answer, answers, info)
    return fingerprint


def texts(say: Say) -> dict[tuple[str, int], str]:
    """What a model said, by dialogue and turn."""
    said = {(dialogue.item_id, turn): say(dialogue, turn) for dialogue, turn in task().dialogues.each_turn()}
    return {key: text for key, text in said.items() if text is not None}


def run_directory(path: Path) -> RunDirectory:
    """Of a run."""
    return RunDirectory(path / "run")
