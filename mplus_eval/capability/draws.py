"""What is counted of a task before it is asked: all of its requests where they are few, else those of some items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from time import perf_counter
from typing import TYPE_CHECKING

from mplus_eval.backends.work import Draw, Item
from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.subtask import Subtask
from mplus_eval.models.cells import Part, evenly_spread
from mplus_eval.models.chat_format import Talker

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

ALL_ITEMS = 48
"""Items of a task up to which every request is built; of a larger one about as many are, since that takes long."""
_PARTS = 6
_TEXTS = 192
"""Items of a task that are built where texts are generated: enough for a batch to be timed."""


def draw_items(
    parts: Sequence[Part],
    kind: str,
    subtask_of: Callable[[str], Subtask],
    built_with: Callable[[Part], Sequence[int]],
    talker: Talker | None,
    *,
    chat: bool,
) -> Iterator[Draw]:
    """Build requests of some parts of a task.

    Args:
        parts: that are to be asked.
        kind: of the task.
        subtask_of: a subtask by its name.
        built_with: the documents that the requests of a part are really built with.
        talker: whose chat template is used.
        chat: whether prompts are put into it.
    """
    if sum(len(part.items) for part in parts) <= ALL_ITEMS:
        for _, group in groupby(parts, key=lambda part: (part.round, part.subtask)):
            of_subtask = list(group)
            subtask = subtask_of(of_subtask[0].subtask)
            started = perf_counter()
            requests = build_requests(subtask, talker, numbers=built_with(of_subtask[0]), chat=chat)
            building = (perf_counter() - started) / len(of_subtask)
            for part in of_subtask:
                items = _items(subtask, requests, part.items)
                yield Draw(len(items), items, building=building)
        return
    drawn = evenly_spread(parts, _PARTS)
    weight = sum(len(part.items) for part in parts) / sum(len(part.items) for part in drawn)
    for part in drawn:
        subtask = subtask_of(part.subtask)
        numbers = part.items[: (_TEXTS if kind == "generation" else ALL_ITEMS) // len(drawn)]
        # What is looked up once for all items is no part of what one takes.
        build_requests(subtask, talker, numbers=numbers[:1], chat=chat)
        started = perf_counter()
        items = _items(subtask, build_requests(subtask, talker, numbers=numbers, chat=chat), numbers)
        yield Draw(len(part.items), items, weight, building=perf_counter() - started)


def _items(subtask: Subtask, requests: Sequence[Instance], numbers: Sequence[int]) -> list[Item]:
    """The requests of some documents, without those that give no prompt."""
    wanted = {number for number in numbers if not subtask.fault_of(number)}
    chosen = [request for request in requests if request.doc_id in wanted]
    return [list(group) for _, group in groupby(chosen, key=lambda request: request.doc_id)]
