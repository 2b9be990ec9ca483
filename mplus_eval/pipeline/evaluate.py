"""Evaluation: every cell of a plan answered and scored, one model loaded at a time, stored part by part.

A part that is stored is never computed again, so a run that was killed goes on with what is missing. A cell that fails
is stored with its cause and the others go on.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from mplus_eval.backends import Backend, LoadedModel, load_backend
from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.axis import FollowUp
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.score import CellScores
from mplus_eval.pipeline.stored import merged, missing_parts
from mplus_eval.redaction import without_secrets
from mplus_eval.servers.usage import Spent
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_columns, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

Loader = Callable[[ResolvedModel], Backend]
Failures = dict[tuple[str, str], str]
"""Why a cell failed, by model and task."""


def evaluate(
    plan: Plan, directory: RunDirectory, progress: RunProgress | None = None, load: Loader | None = None
) -> Failures:
    """Answer and score every cell that is not stored yet.

    Args:
        plan: the cells.
        directory: where parts are stored, and found again.
        progress: told of every item.
        load: how a model is loaded; the backends' own way when None.

    Returns:
        The causes of the cells that failed.

    Raises:
        InterruptedRunError: when the disk is full; what is stored stays.
    """
    progress = progress or RunProgress()
    scores = CellScores(plan, directory)
    try:
        evaluation = _Evaluation(plan, directory, progress, load, scores)
        cells: Sequence[Cell] = plan.cells
        while cells:
            evaluation.evaluate_round(cells)
            cells = evaluation.next_round()
        return evaluation.failures
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise InterruptedRunError(
            f"the disk of {directory.path} is full; free some and run the same command"
        ) from error
    finally:
        scores.close()


@dataclass(frozen=True)
class PartTook:
    """What answering a part took, and of what model."""

    seconds: float
    facts: LoadedModel
    spent: Spent


@dataclass
class _Evaluation:
    """The state of the passes over a plan: one, or where asking stops with the verdicts one for each round."""

    plan: Plan
    directory: RunDirectory
    progress: RunProgress
    load: Loader | None
    scores: CellScores
    failures: Failures = field(default_factory=dict)
    round: int = -1
    """The round that is being asked, from 0."""
    missing: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    """The parts of it that are to be answered, by the cell's name."""

    def evaluate_round(self, cells: Sequence[Cell]) -> None:
        """Ask every model what is missing of some cells up to the next round."""
        self.round += 1
        self.missing = {
            cell.name: [] if cell.refused else missing_parts(cell, self.directory, self.round) for cell in cells
        }
        todo = [(cell, self.missing[cell.name]) for cell in cells if self.missing[cell.name]]
        for axis in self.plan.axes:
            if cost := axis.cost([(cell, parts) for cell, parts in todo if cell.axis == axis.name]):
                self.progress.say(cost)
        self.progress.start(todo, len(self.plan.passes))
        for number, model in enumerate(self.plan.passes, start=1):
            self.evaluate_model(model, [cell for cell in cells if cell.model is model], number)

    def next_round(self) -> list[Cell]:
        """The cells that are to be asked more."""
        number = self.round + 1
        # One round more than there are: what was left early may be asked on when all else has been.
        if number > 1 + max((part.round for cell in self.plan.cells for part in cell.parts), default=0):
            return []
        wanted = [
            cell
            for axis in self.plan.axes
            for cell in axis.next_round(self.plan.of_axis(axis), number, self.directory, self.failures)
        ]
        if wanted:
            n_cells = sum(any(part.round >= number for part in cell.parts) for cell in self.plan.cells)
            self.progress.say(f"round {number + 1}: {len(wanted)} of {n_cells} cells go on")
        return wanted

    def evaluate_model(self, model: ResolvedModel, cells: Sequence[Cell], number: int) -> None:
        """Load a model where it is needed, and do all that is missing of its cells.

        Args:
            model: the model.
            cells: of it, those that are asked in this round.
            number: its place among those that are asked, from 1.
        """
        backend, cause = None, None
        follow_ups: list[FollowUp] = []
        if model is self.plan.baseline and self.round == 0:
            # Where the baseline is asked about the others' answers it comes last, so these are complete by now.
            for axis in self.plan.axes:
                follow_ups += axis.follow_ups(self.plan.of_axis(axis), model, self.directory)
        if follow_ups or any(self.missing[cell.name] for cell in cells):
            try:
                if self.load is not None:
                    backend = self.load(model)
                else:
                    backend = load_backend(model.backend, model.spec, model.location)
            except Exception as error:  # noqa: BLE001 - any failure to load is this model's; the others go on
                cause = _cause(error, "loading the model: ")
        try:
            for cell in cells:
                self.progress.start_cell(cell, number)
                missing = self.missing[cell.name]
                self._note(cell, cause if missing and cause else self._cell(cell, missing, backend))
            for follow_up in follow_ups:
                self._follow_up(follow_up, backend, cause)
        finally:
            if backend is not None:
                backend.close()

    def _follow_up(self, follow_up: FollowUp, backend: Backend | None, cause: str | None) -> None:
        """Ask the baseline about another model's answers, whose cell fails when it cannot be asked.

        Not so where the baseline has no answers itself, since no verdict comes of the cell then.
        """
        cell = follow_up.cell
        if cell.key in self.failures or (self.plan.spec.baseline, cell.task) in self.failures:
            return
        why = cause
        try:
            if backend is not None:
                follow_up.ask(backend, self.directory)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                raise
            why = _cause(error)
        if why is not None:
            self._note(cell, f"{follow_up.doing}: {why}")

    def _cell(self, cell: Cell, missing: Sequence[Part], backend: Backend | None) -> str | None:
        """Compute what a cell lacks; return why it failed or is refused, or None."""
        if cell.refused:
            return cell.refused
        axis = self.plan.axis_of(cell)
        try:
            if backend is not None:
                before = backend.facts.spent
                started = time.monotonic()
                for part, answers in axis.generate(cell, missing, backend, self.progress.advance):
                    seconds, facts = time.monotonic() - started, backend.facts
                    took = facts.spent - (before or Spent()) if facts.spent else Spent()
                    self._store(cell, part, answers, PartTook(seconds, facts, took))
                    self.scores.score_in_background(cell, cell.parts[part.index], facts.device)
                    before, started = facts.spent, time.monotonic()
            self.scores.score(cell, [part for part in cell.parts if part.round <= self.round])
        except Exception as error:
            # A cell may fail in any way; it is stored with its cause, and the others go on.
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                raise
            return _cause(error)
        # Where not one item has a score, or an answer, the cell has failed and not its items.
        is_scored = axis.score_components(cell) is not None
        folder = (self.directory.outcomes if is_scored else self.directory.answers)(*cell.key)
        column = "score" if is_scored else "generations"
        cause = "the task has no items"
        for part in (part for part in cell.parts if part.round <= self.round):
            for row in read_columns(part_path(folder, part.index), [column, "error"]).to_pylist():
                if row[column] is not None:
                    return None
                cause = str(row["error"])
        return cause

    def _store(self, cell: Cell, part: Part, answers: Sequence[Answer], took: PartTook) -> None:
        """Write a part; of one that was asked again for some of its items, with the answers that it had."""
        path, whole = part_path(self.directory.answers(*cell.key), part.index), cell.parts[part.index]
        seconds, spent = took.seconds, took.spent
        if part is not whole and (stored := part_info(path)) is not None:
            answers = merged(whole, read_part(path, Answer), answers)
            seconds, spent = seconds + stored.seconds, spent + Spent(**stored.spent)
        info = PartInfo(
            cell.fingerprint,
            dict(cell.components),
            part.index,
            len(cell.parts),
            seconds,
            took.facts.as_json(),
            dict(cell.sources),
            n_outside=sum(each.failed_outside for each in answers),
            spent=asdict(spent) if spent.n_requests else {},
        )
        write_part(path, Answer, answers, info)

    def _note(self, cell: Cell, why: str | None) -> None:
        if why is None:
            self.directory.clear_failure(*cell.key)
        else:
            self.failures[cell.key] = why
            self.directory.write_failure(*cell.key, why)
        self.progress.finish_cell(cell, why)


def _cause(error: BaseException, doing: str = "") -> str:
    """One line for the report; the traceback goes to the log, where `-v` shows it."""
    logging.getLogger(__name__).info("%s", "".join(traceback.format_exception(error)))
    text = without_secrets(" ".join(str(error).split()))
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return doing + (text if text.startswith("out of memory") else "out of memory")
    return f"{doing}{kind}: {text[:300]}" if text else f"{doing}{kind}"
