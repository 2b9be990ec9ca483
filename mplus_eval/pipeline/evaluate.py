"""Evaluation: every cell of a plan answered and scored, by one worker or many, stored part by part.

A part that is stored is never computed again, so a run that was killed goes on with what is missing. A cell that fails
is stored with its cause and the others go on. Who computes is the executor's business (`pipeline.executors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.cells import Cell, Part
from mplus_eval.pipeline.executors.base import Advanced, Executor
from mplus_eval.pipeline.executors.claims import Claims
from mplus_eval.pipeline.executors.driver import Driver
from mplus_eval.pipeline.executors.expected import Expected
from mplus_eval.pipeline.executors.here import Here
from mplus_eval.pipeline.executors.schedule import Schedule, Seat
from mplus_eval.pipeline.executors.work import Shard, chunks, cut, longest_shard, of_cell
from mplus_eval.pipeline.executors.worker import Loader, Worker, cause_of, ends_the_run
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.score import CellScores
from mplus_eval.pipeline.stored import missing_parts
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.parts import part_path, read_columns
from mplus_eval.store.run_directory import RunDirectory

Failures = dict[tuple[str, str], str]
"""Why a cell failed, by model and task."""


def evaluate(
    plan: Plan,
    directory: RunDirectory,
    progress: RunProgress | None = None,
    load: Loader | None = None,
    *,
    executor: Executor | None = None,
    expected: Expected | None = None,
    claims: Claims | None = None,
) -> Failures:
    """Answer and score every cell that is not stored yet.

    Args:
        plan: the cells.
        directory: where parts are stored, and found again.
        progress: told of every item.
        load: how a model is loaded in this process; the backends' own way when None.
        executor: who computes, and is closed at the end; a worker in this process when None.
        expected: what cells and models are expected to take; of no matter where one worker computes alone.
        claims: on shards, where other machines compute the same plan in the same directory.

    Returns:
        The causes of the cells that failed.

    Raises:
        InterruptedRunError: when the disk is full; what is stored stays.
    """
    progress = progress or RunProgress()
    if executor is None:
        seat = Seat("this process", float("inf"))
        tell: Callable[[Advanced], None] = lambda told: progress.advance(told.n_items)  # noqa: E731
        holds = claims.holds if claims is not None else lambda _: True
        executor = Here(seat, Worker(plan, directory, seat=seat, tell=tell, load=load, holds=holds))
    scores = CellScores(plan, directory)
    try:
        evaluation = _Evaluation(plan, directory, progress, executor, scores, expected or Expected({}), claims)
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
        executor.close()
        scores.close()


@dataclass
class _Evaluation:
    """The state of the passes over a plan: one, or where asking stops with the verdicts one for each round."""

    plan: Plan
    directory: RunDirectory
    progress: RunProgress
    executor: Executor
    scores: CellScores
    expected: Expected
    claims: Claims | None
    failures: Failures = field(default_factory=dict)
    round: int = -1
    """The round that is being asked, from 0."""
    open: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many shards of each cell are not done."""
    asked: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    """The parts of each cell that workers answer and score in this round."""
    done: set[tuple[str, str]] = field(default_factory=set)
    """The cells that are whole up to this round."""

    def __post_init__(self) -> None:
        """Begin with nothing to do."""
        self.cells = {cell.key: cell for cell in self.plan.cells}
        self.places = {key: place for place, key in enumerate(self.cells)}
        self.numbers = {model.spec.name: number for number, model in enumerate(self.plan.passes, start=1)}
        self.n_seats = len(self.executor.seats)
        needs = {model.spec.name: self.expected.needs(model) for model in self.plan.passes}
        schedule = Schedule(needs, in_order=self.n_seats == 1 and self.claims is None)
        self.driver = Driver(self.executor, schedule, self, self.claims)

    def evaluate_round(self, cells: Sequence[Cell]) -> None:
        """Ask every model what is missing of some cells up to the next round."""
        self.round += 1
        self.done.clear()
        missing = {cell.key: [] if cell.refused else missing_parts(cell, self.directory, self.round) for cell in cells}
        todo = [(cell, missing[cell.key]) for cell in cells if missing[cell.key]]
        for axis in self.plan.axes:
            if cost := axis.cost([(cell, parts) for cell, parts in todo if cell.axis == axis.name]):
                self.progress.say(cost)
        self.progress.share(self.n_seats)
        self.progress.start(todo, len(self.plan.passes))
        shards = list(self._shards(todo))
        for shard in shards:
            self.open[shard.cell] = self.open.get(shard.cell, 0) + 1
        self.asked = {cell.key: {part.index for part in parts} for cell, parts in todo}
        self.driver.add(shards)
        for cell in self._in_order(cells):
            if not missing[cell.key]:
                self.progress.start_cell(cell, self.numbers[cell.model.spec.name])
                self._end(cell, cell.refused or None)
        self.driver.run()

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

    def _shards(self, todo: Sequence[tuple[Cell, Sequence[Part]]]) -> Iterator[Shard]:
        """What is missing, cut for as many workers as there are."""
        parts = {cell.key: missing for cell, missing in todo}
        seconds = {cell.key: self.expected.seconds(cell, missing) for cell, missing in todo}
        longest = longest_shard(sum(seconds.values()), self.n_seats)
        for cell in self._in_order([cell for cell, _ in todo]):
            if self.claims is None:
                yield from cut(cell, parts[cell.key], seconds[cell.key], longest, number=self.round)
                continue
            missing = {part.index for part in parts[cell.key]}
            for chunk in chunks(cell.parts):
                indexes = tuple(part.index for part in chunk)
                if share := len(missing.intersection(indexes)):
                    yield of_cell(cell, indexes, number=self.round, seconds=seconds[cell.key] * share / len(missing))

    def _in_order(self, cells: Sequence[Cell]) -> list[Cell]:
        """Cells model by model, in the order in which models are asked."""
        return sorted(cells, key=lambda cell: self.numbers[cell.model.spec.name])

    def say(self, sentence: str) -> None:
        """Something that a user wants to know."""
        self.progress.say(sentence)

    def begun(self, shard: Shard) -> None:
        """Show the cell of a shard."""
        if not shard.follow_up:
            self.progress.start_cell(self.cells[shard.cell], self.numbers[shard.model])

    def advanced(self, event: Advanced) -> None:
        """Show what is done."""
        self.progress.advance_cell(self.cells[event.shard.cell], event.n_items, event.seconds)

    def stored(self, shard: Shard, *, elsewhere: bool) -> None:
        """Bring a cell to its end once all of its shards are stored."""
        if not shard.follow_up:
            if elsewhere:
                self.asked[shard.cell].difference_update(shard.parts)
            self.open[shard.cell] -= 1
            if not self.open[shard.cell] and shard.cell not in self.failures:
                self._end(self.cells[shard.cell], None)

    def is_stored(self, shard: Shard) -> bool:
        """Whether nothing is missing of a shard."""
        cell = self.cells[shard.cell]
        if not shard.follow_up:
            return not missing_parts(cell, self.directory, shard.round, shard.parts)
        follow_ups = self.plan.axis_of(cell).follow_ups([cell], self.plan.baseline, self.directory)
        return not any(each.part.index in shard.parts for each in follow_ups)

    def failed(self, shards: Sequence[Shard], cause: str) -> None:
        """Fail the cells of shards, of which nothing more is computed; the first cause of a cell counts."""
        of_cells = {shard.cell: shard for shard in reversed(shards)}
        for key in sorted(of_cells, key=self.places.__getitem__):
            self.driver.drop(key)
            if key not in self.failures:
                doing = of_cells[key].follow_up
                self._note(self.cells[key], f"{doing}: {cause}" if doing and not cause.startswith(doing) else cause)

    def _end(self, cell: Cell, cause: str | None) -> None:
        """Score what was stored before of a cell of which all is answered, and ask the baseline about it."""
        cause = cause or self._scored(cell)
        self._note(cell, cause)
        if cause is None:
            self.done.add(cell.key)
            self._follow_up(cell)

    def _scored(self, cell: Cell) -> str | None:
        """Score the parts that no worker did; return why the cell failed, or None."""
        parts = [part for part in cell.parts if part.round <= self.round]
        try:
            self.scores.score(cell, [part for part in parts if part.index not in self.asked.get(cell.key, ())])
        except Exception as error:
            # A cell may fail in any way; it is stored with its cause, and the others go on.
            if ends_the_run(error):
                raise
            return cause_of(error)
        # Where not one item has a score, or an answer, the cell has failed and not its items.
        is_scored = self.plan.axis_of(cell).score_components(cell) is not None
        folder = (self.directory.outcomes if is_scored else self.directory.answers)(*cell.key)
        column = "score" if is_scored else "generations"
        cause = "the task has no items"
        for part in parts:
            for row in read_columns(part_path(folder, part.index), [column, "error"]).to_pylist():
                if row[column] is not None:
                    return None
                cause = str(row["error"])
        return cause

    def _follow_up(self, cell: Cell) -> None:
        """Have the baseline asked about answers that are whole now: a cell's, or those to the baseline's own task.

        Not so where the baseline has no answers itself, since no verdict comes of the cell then.
        """
        if self.round > 0:
            return
        baseline = self.plan.baseline
        own = (baseline.spec.name, cell.task)
        if own in self.cells and own not in self.done:
            return
        of_task = [each for each in self.plan.cells if each.task == cell.task] if cell.key == own else [cell]
        for each in of_task:
            if each.key in self.done and each.axis == cell.axis:
                self.driver.add(self._follow_ups(each))

    def _follow_ups(self, cell: Cell) -> Iterator[Shard]:
        """What the baseline is to be asked about a cell, in chunks that are the same on every machine."""
        baseline = self.plan.baseline
        wanted = self.plan.axis_of(cell).follow_ups([cell], baseline, self.directory)
        missing = {follow_up.part.index for follow_up in wanted}
        for chunk in chunks(cell.parts):
            parts = tuple(part.index for part in chunk)
            if missing.intersection(parts):
                yield replace(
                    of_cell(cell, parts, seconds=self.expected.likelihoods(cell, parts)),
                    model=baseline.spec.name,
                    follow_up=wanted[0].doing,
                )

    def _note(self, cell: Cell, why: str | None) -> None:
        if why is None:
            self.directory.clear_failure(*cell.key)
        else:
            self.failures[cell.key] = why
            self.directory.write_failure(*cell.key, why)
        self.progress.finish_cell(cell, why)
