"""Scores of every kind of cell: by the task's own metric, by scorers of toxicity, by the refusal matcher.

Texts are scored part by part. Where a scorer computes on another device than the model, parts are scored in a thread
while the model goes on to the next; what failed there is tried again when the whole cell is scored, and fails it then.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mplus_eval.capability.items import Leaf, LoadedTask
from mplus_eval.capability.score import score_items
from mplus_eval.conversation.generate import AskedDialogues
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.score import Scoring
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import OUTCOME_SCHEMA, PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from mplus_eval.pipeline.plan import Cell, Part

Row = dict[str, Any]


class CellScores:
    """Turns stored answers into stored outcomes."""

    def __init__(self, directory: RunDirectory, harmlessness: HarmlessnessSettings | None) -> None:
        """Score what lies in a directory; scorers are loaded when the first text is scored."""
        self._directory, self._harmlessness = directory, harmlessness
        self._thread: ThreadPoolExecutor | None = None
        self._begun: list[Future[None]] = []

    def ahead(self, cell: Cell, part: Part, device: str | None) -> None:
        """Begin to score a part that was just answered, where its scorer leaves the model's device alone."""
        if not isinstance(cell.task, PromptSet) or cell.task.kind != "sampled" or device is None:
            return
        if all(_same_device(one.device, device) for one in self._scoring.scorers):
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
        self._begun.append(self._thread.submit(self._score_part, cell, part))

    def score(self, cell: Cell) -> None:
        """Score every part of a cell whose outcomes are not stored yet under this metric or scorer."""
        wait(self._begun)
        self._begun.clear()
        for part in cell.parts:
            self._score_part(cell, part)

    def close(self) -> None:
        """Let go of the thread, without waiting for what was not begun."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _score_part(self, cell: Cell, part: Part) -> None:
        names = cell.model.spec.name, cell.task.spec.name
        scorer = {**self._components(cell), "answers": cell.fingerprint}
        fingerprint = hash_components(scorer)
        place = part_path(self._directory.outcomes(*names), part.index)
        stored = part_info(place)
        if stored is None or stored.fingerprint != fingerprint or stored.n_parts != len(cell.parts):
            rows = self._scored(cell, part, read_part(part_path(self._directory.answers(*names), part.index)))
            info = PartInfo(fingerprint, {**cell.components, **scorer}, part.index, len(cell.parts))
            write_part(place, rows, OUTCOME_SCHEMA, info)

    def _components(self, cell: Cell) -> dict[str, str]:
        assert not isinstance(cell.task, AskedDialogues)
        if isinstance(cell.task, PromptSet):
            return self._scoring.components(cell.task.kind)
        return {"metric": cell.task.metric, "filter": cell.task.filter}

    def _scored(self, cell: Cell, part: Part, rows: Sequence[Row]) -> list[Row]:
        if isinstance(cell.task, PromptSet):
            return self._scoring.score(cell.task, rows)
        assert isinstance(part.leaf, Leaf)
        assert isinstance(cell.task, LoadedTask)
        return score_items(cell.task, part.leaf, rows, part.items)

    @cached_property
    def _scoring(self) -> Scoring:
        assert self._harmlessness is not None
        return Scoring(self._harmlessness.scorers)


def _same_device(one: str, other: str) -> bool:
    """Whether two names are of one device; the first of a kind is the one without a number.

    >>> _same_device("cuda", "cuda:0"), _same_device("cuda:1", "cuda"), _same_device("cpu", "cuda")
    (True, False, False)
    """
    return one.removesuffix(":0") == other.removesuffix(":0")
