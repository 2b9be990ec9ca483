"""Scores of the cells of every axis that scores, stored part by part under the answers' hash and the scorer's.

Where a scorer computes on another device than the model, parts are scored in a thread while the model goes on to the
next; what failed there is tried again when the whole cell is scored, and fails it then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from mplus_eval.models.cells import Cell, Part
from mplus_eval.pipeline.plan import Plan
from mplus_eval.store.checksummed import TEXTS
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, fresh, part_info, part_path, read_part, write_part
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

    def score(self, cell: Cell, parts: Sequence[Part]) -> None:
        """Score the parts of a cell whose outcomes are not stored yet under this metric or scorer."""
        wait(self._begun)
        self._begun.clear()
        for part in parts:
            self._score_part(cell, part)

    def close(self) -> None:
        """Let go of the thread, without waiting for what was not begun."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _score_part(self, cell: Cell, part: Part) -> None:
        axis = self._plan.axis_of(cell)
        if (scorer := axis.score_components(cell)) is not None:
            answers = part_path(self._directory.answers(*cell.key), part.index)
            place, once = self._directory.outcomes(*cell.key), self._directory.is_shared
            score_part(answers, place, scorer, partial(axis.score, cell, part), once=once)


def score_part(
    answers: Path,
    outcomes: Path,
    scorer: Mapping[str, str],
    score: Callable[[Sequence[Answer]], Sequence[Outcome]],
    *,
    once: bool = False,
) -> None:
    """Score a part of answers, where its outcomes under this scorer are not stored yet.

    Args:
        answers: the file of the part.
        outcomes: the folder of the cell's outcomes.
        scorer: what a score depends on besides the answers.
        score: turns the answers of a part into outcomes.
        once: whether others may be scoring the same part, as `write_part` has it.
    """
    answered = part_info(answers)
    assert answered is not None
    components = {**scorer, "answers": answered.fingerprint}
    fingerprint = hash_components(components)
    place = part_path(outcomes, answered.index)
    stored = fresh(place, fingerprint, answered.n_parts)
    # Items that were asked again have other answers under the same fingerprint.
    if stored is None or stored.n_outside != answered.n_outside:
        made_of = {**answered.components, **components}
        given = read_part(answers, Answer)
        scored = score(given)
        info = PartInfo(
            fingerprint,
            made_of,
            answered.index,
            answered.n_parts,
            n_outside=answered.n_outside,
            texts_in="answers" if has_texts_of(given, scored) else "",
        )
        write_part(place, Outcome, scored, info, once=once)


def has_texts_of(answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> bool:
    """Whether outcomes need not hold the texts of their answers again: several samples an item, row by row the same.

    Of one sample an item they do, so that a file of outcomes can be read alone.
    """
    if len(answers) != len(outcomes) or not any(answer.sample for answer in answers):
        return False
    return all(
        getattr(answer, name) == getattr(outcome, name)
        for answer, outcome in zip(answers, outcomes, strict=True)
        for name in ("item_id", "sample", *TEXTS)
    )
