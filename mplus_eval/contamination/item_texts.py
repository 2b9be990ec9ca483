"""Items as a training set would hold them: the question as lm-eval puts it, without examples, and the right answer.

    "Which planet is closest to the sun?\\nA. Venus\\nB. Mercury\\nC. Mars\\nD. Earth\\nAnswer: B"

Where the question lists its choices, the same item with the choices in another order is as good a question, which
nobody has seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.subtask import Subtask


@dataclass(frozen=True)
class ItemText:
    """One item.

    Attributes:
        item_id: as in outcomes.
        cluster: what it shares with its neighbours; None where it stands alone.
        question: without the answer.
        answer: the right one, with what stands before it.
        choices: as they stand in the question, in its order; empty where it lists none.
    """

    item_id: str
    cluster: str | None
    question: str
    answer: str
    choices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Question and answer."""
        return f"{self.question}{self.answer}"

    def rearranged(self, n: int, generator: random.Random) -> list[str]:
        """The question with its choices in n other orders; fewer where there are no more."""
        places = _places(self.question, self.choices)
        if len(places) < 2:
            return []
        orders: dict[tuple[int, ...], None] = {}
        own = tuple(range(len(places)))
        for _ in range(8 * n):
            if len(orders) == n:
                break
            order = tuple(generator.sample(own, len(own)))
            if [self.choices[number] for number in order] != list(self.choices):
                orders[order] = None
        texts = []
        for order in orders:
            rest = [self.question[end:start] for (_, end), (start, _) in pairwise([(0, 0), *places, (None, None)])]
            said = [self.choices[number] for number in order]
            texts.append("".join(f"{before}{choice}" for before, choice in zip(rest, [*said, ""], strict=True)))
        return texts


def item_texts(task: LoadedTask, most: int | None = None) -> dict[str, list[ItemText]]:
    """The items of every subtask in the order of its data, those that give no prompt left out.

    Args:
        task: with its data.
        most: items of each subtask, the first ones; all when None.
    """
    return {subtask.name: list(_of_subtask(subtask, most)) for subtask in task.subtasks}


def _of_subtask(subtask: Subtask, most: int | None) -> Sequence[ItemText]:
    items = []
    for number, doc in subtask.numbered_docs(range(subtask.n_docs if most is None else min(most, subtask.n_docs))):
        try:
            items.append(_item(subtask, number, doc))
        except Exception:  # noqa: BLE001 - a task's template may raise anything of a malformed row, which is asked nothing
            continue
    return items


def _item(subtask: Subtask, number: int, doc: object) -> ItemText:
    task = subtask.task
    choices = tuple(map(str, task.doc_to_choice(doc))) if task.OUTPUT_TYPE == "multiple_choice" else ()
    question, answer = task.doc_to_text(doc), subtask.target_of(doc)
    if isinstance(question, int):
        # Of several contexts the right one, as in WinoGrande; what follows it is the same for all.
        question, answer = choices[question], str(task.doc_to_target(doc))
    listed = choices if _places(str(question), choices) else _listed(str(question), doc)
    delimiter = task.config.target_delimiter
    return ItemText(subtask.item_id(number), subtask.cluster_of(doc), str(question), f"{delimiter}{answer}", listed)


def _listed(question: str, doc: object) -> tuple[str, ...]:
    """The choices that a row holds, where the question lists them and the answer is a letter."""
    for value in doc.values() if isinstance(doc, dict) else ():
        held = value.get("text") if isinstance(value, dict) else value
        texts = tuple(map(str, held)) if isinstance(held, list) else ()
        if len(texts) > 1 and _places(question, texts):
            return texts
    return ()


def _places(question: str, choices: Sequence[str]) -> list[tuple[int, int]]:
    """Where each choice begins and ends, in their order and each at the end of a line; none where one is not there."""
    places = []
    position = 0
    for choice in choices:
        start = question.find(choice, position) if choice.strip() else -1
        while start >= 0 and question[start + len(choice) :][:1] not in ("", "\n"):
            start = question.find(choice, start + 1)
        if start < 0:
            return []
        position = start + len(choice)
        places.append((start, position))
    return places
