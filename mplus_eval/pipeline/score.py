"""Scores of the cells of every axis that scores, stored part by part under the answers' hash and the scorer's.

Where a scorer computes on another device than the model, parts are scored in a thread while the model goes on to the
next; what failed there is tried again when the whole cell is scored, and fails it then.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait

from mplus_eval.models.cells import Cell, Part
from mplus_eval.pipeline.plan import Plan
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory


class CellScores:
    """Turns stored answers into stored outcomes."""

    def __init__(self, plan: Plan, directory: RunDirectory) -> None:
        """Score what lies in a directory."""
        self._plan, self._directory = plan, directory
        self._thread: ThreadPoolExecutor | None = None
        self._begun: list[Future[None]] = []

    def score_in_background(self, cell: Cell, part: Part, device: str | None) -> None:
        """Begin to score a part that was just answered, where its scorer leaves the model's device alone."""
        if device is None or not self._plan.axis_of(cell).scores_beside(cell, device):
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
        axis = self._plan.axis_of(cell)
        scorer = axis.score_components(cell)
        if scorer is None:
            return
        components = {**scorer, "answers": cell.fingerprint}
        info = PartInfo(hash_components(components), {**cell.components, **components}, part.index, len(cell.parts))
        place = part_path(self._directory.outcomes(*cell.key), part.index)
        if fresh(place, info.fingerprint, info.n_parts) is None:
            answers = read_part(part_path(self._directory.answers(*cell.key), part.index), Answer)
            write_part(place, Outcome, axis.score(cell, part, answers), info)
