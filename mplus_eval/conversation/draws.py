"""What is counted of dialogues before they are had: every turn of some of them, without the answers in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mplus_eval.backends.work import Draw
from mplus_eval.conversation.format import prompt_of
from mplus_eval.conversation.generate import requests_of
from mplus_eval.conversation.items import DialogueTask
from mplus_eval.models.cells import Part, evenly_spread
from mplus_eval.models.chat_format import ChatFormat

_PARTS = 4


def draw_turns(task: DialogueTask, parts: Sequence[Part], chat: ChatFormat, seed: int) -> Iterator[Draw]:
    """Build the requests of some parts, turn by turn, as each turn is put to a model of all dialogues at once."""
    drawn = evenly_spread(parts, _PARTS)
    weight = sum(len(part.items) for part in parts) / sum(len(part.items) for part in drawn)
    for part in drawn:
        dialogues = [task.dialogues.dialogues[number] for number in part.items]
        for turn in range(max(len(dialogue.turns) for dialogue in dialogues)):
            prompts = [
                prompt_of(dialogue, [""] * turn, chat.render) for dialogue in dialogues if len(dialogue.turns) > turn
            ]
            items = [requests_of([prompt], chat, task.settings, seed) for prompt in prompts]
            yield Draw(len(items), items, weight, len(items), counts_items=turn == 0)
