"""Evaluation: every cell of a plan answered and scored, one model loaded at a time, stored part by part.

A part that is stored is never computed again, so a run that was killed goes on with what is missing. A cell that fails
is stored with its cause and the others go on.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from mplus_eval.backends import Backend, load_backend
from mplus_eval.capability.generate import Row, answer, build_requests
from mplus_eval.capability.items import Leaf
from mplus_eval.conversation.generate import AskedDialogues, ask_dialogues
from mplus_eval.errors import InterruptedRunError
from mplus_eval.harmlessness.cost import sampling_cost
from mplus_eval.harmlessness.generate import ask
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.likelihoods import Wanted, judge_likelihoods, missing_likelihoods
from mplus_eval.models.chat_format import PLAIN_FORMAT
from mplus_eval.pipeline.plan import Cell, Part, Plan, ResolvedModel
from mplus_eval.pipeline.progress import RunProgress, SilentProgress
from mplus_eval.pipeline.score import CellScores
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.parts import ANSWER_SCHEMA, PartInfo, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

Loader = Callable[[ResolvedModel], Backend]
Answers = Iterator[tuple[Part, list[Row]]]
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
    scores = CellScores(directory, plan.harmlessness)
    run = _Evaluation(plan, directory, progress or SilentProgress(), load or _load, scores)
    try:
        return run.all_cells()
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise InterruptedRunError(
            f"the disk of {directory.path} is full; free some and run the same command"
        ) from error
    finally:
        scores.close()


def missing_parts(cell: Cell, directory: RunDirectory) -> list[Part]:
    """The parts of a cell's answers that are not stored yet."""
    return [part for part in cell.parts if _stored(cell, part, directory) is None]


def model_facts(cells: Iterable[Cell], directory: RunDirectory) -> dict[str, Any]:
    """What was noted of a model when it was loaded (the fields of `LoadedModel`); empty when it never was."""
    for cell in cells:
        for part in cell.parts:
            if info := _stored(cell, part, directory):
                return info.model
    return {}


def cell_seconds(cell: Cell, directory: RunDirectory) -> float:
    """How long the stored parts of a cell took to answer, in seconds."""
    return sum(info.seconds for part in cell.parts if (info := _stored(cell, part, directory)))


def _stored(cell: Cell, part: Part, directory: RunDirectory) -> PartInfo | None:
    info = directory.answered(cell.model.spec.name, cell.task.spec.name, part.index)
    same = info is not None and info.fingerprint == cell.fingerprint and info.n_parts == len(cell.parts)
    return info if same else None


def _load(model: ResolvedModel) -> Backend:
    return load_backend(model.backend, model.spec, model.location)


@dataclass
class _Evaluation:
    """The state of one pass over a plan."""

    plan: Plan
    directory: RunDirectory
    progress: RunProgress
    load: Loader
    scores: CellScores
    failures: Failures = field(default_factory=dict)

    def all_cells(self) -> Failures:
        missing = {cell.name: missing_parts(cell, self.directory) for cell in self.plan.cells}
        todo = [(cell, missing[cell.name]) for cell in self.plan.cells if missing[cell.name]]
        if self.plan.harmlessness and (cost := sampling_cost(todo, self.plan.harmlessness)):
            self.progress.say(cost)
        self.progress.start(todo, len(self.plan.passes))
        for number, model in enumerate(self.plan.passes, start=1):
            self._model(model, number, missing)
        return self.failures

    def _model(self, model: ResolvedModel, number: int, missing: dict[str, list[Part]]) -> None:
        cells = self.plan.of_model(model)
        backend, cause = None, None
        # What the others said is complete by now: the baseline comes last.
        is_last = bool(self.plan.sets) and model is self.plan.baseline
        unlikely = missing_likelihoods(self.plan, self.directory) if is_last else []
        if unlikely or any(missing[cell.name] for cell in cells):
            backend, cause = self._loaded(model)
        try:
            for cell in cells:
                self.progress.start_cell(cell, number)
                why = cause if missing[cell.name] and cause else self._cell(cell, missing[cell.name], backend)
                self._note(cell, why)
            self._likelihoods(unlikely, backend, cause)
        finally:
            if backend is not None:
                backend.close()

    def _likelihoods(self, wanted: Sequence[Wanted], backend: Backend | None, cause: str | None) -> None:
        """Ask the baseline how likely it thinks what the others said, set by set.

        A set of which it cannot be asked has failed, for nothing would tell babble from talk in it; not so where the
        baseline has no answers itself, since no verdict comes of the set then.
        """
        for cell, part, info in wanted:
            name = cell.task.spec.name
            if (cell.model.spec.name, name) in self.failures or (self.plan.spec.baseline, name) in self.failures:
                continue
            why = cause
            try:
                if backend is not None:
                    judge_likelihoods([(cell, part, info)], backend, self.directory)
            except Exception as error:
                if isinstance(error, OSError) and error.errno in FULL_DISK:
                    raise
                why = _cause(error)
            if why is not None:
                self._note(cell, f"asking the baseline how likely this is: {why}")

    def _loaded(self, model: ResolvedModel) -> tuple[Backend | None, str | None]:
        try:
            return self.load(model), None
        except Exception as error:  # noqa: BLE001 - any failure to load is this model's; the others go on
            return None, _cause(error, "loading the model: ")

    def _cell(self, cell: Cell, missing: list[Part], backend: Backend | None) -> str | None:
        """Compute what a cell lacks; return why it failed, or None."""
        try:
            if backend is not None:
                self._answer(cell, missing, backend)
            if isinstance(cell.task, AskedDialogues):
                return self._all_turns_failed(cell)
            self.scores.score(cell)
        except Exception as error:
            # A cell may fail in any way; it is stored with its cause, and the others go on.
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                raise
            return _cause(error)
        return self._all_items_failed(cell)

    def _answer(self, cell: Cell, missing: list[Part], backend: Backend) -> None:
        folder = self.directory.answers(cell.model.spec.name, cell.task.spec.name)
        answers = self._answers_of(cell)
        started = time.monotonic()
        for part, rows in answers(cell, missing, backend):
            seconds, facts = time.monotonic() - started, asdict(backend.facts)
            info = PartInfo(cell.fingerprint, cell.components, part.index, len(cell.parts), seconds, facts)
            write_part(part_path(folder, part.index), rows, ANSWER_SCHEMA, info)
            self.scores.ahead(cell, part, backend.facts.device)
            started = time.monotonic()

    def _answers_of(self, cell: Cell) -> Callable[[Cell, list[Part], Backend], Answers]:
        if isinstance(cell.task, PromptSet):
            return self._set_answers
        return self._dialogue_answers if isinstance(cell.task, AskedDialogues) else self._task_answers

    def _dialogue_answers(self, cell: Cell, missing: list[Part], backend: Backend) -> Answers:
        assert isinstance(cell.task, AskedDialogues)
        for part in missing:
            yield (
                part,
                ask_dialogues(
                    cell.task,
                    part.items,
                    backend,
                    seed=self.plan.spec.seed,
                    own_template=cell.model.talk_format != PLAIN_FORMAT,
                    on_items=self.progress.advance,
                ),
            )

    def _task_answers(self, cell: Cell, missing: list[Part], backend: Backend) -> Answers:
        chat = cell.model.chat_template != "plain"
        for _, parts in groupby(missing, key=lambda part: part.leaf.name):
            leaf_parts = list(parts)
            leaf = leaf_parts[0].leaf
            assert isinstance(leaf, Leaf)
            requests = build_requests(leaf, backend, limit=self.plan.spec.limit_of(cell.model.spec), chat=chat)
            for part in leaf_parts:
                wanted = [request for request in requests if request.doc_id in part.items]
                yield part, answer(leaf, wanted, backend, self.progress.advance)

    def _set_answers(self, cell: Cell, missing: list[Part], backend: Backend) -> Answers:
        assert isinstance(cell.task, PromptSet)
        assert self.plan.harmlessness is not None
        for part in missing:
            yield (
                part,
                ask(
                    cell.task,
                    part.items,
                    backend,
                    self.plan.harmlessness,
                    seed=self.plan.spec.seed,
                    own_template=cell.model.talk_format != PLAIN_FORMAT,
                    on_items=self.progress.advance,
                ),
            )

    def _all_turns_failed(self, cell: Cell) -> str | None:
        """The same of dialogues, which are judged and not scored."""
        folder, cause = self.directory.answers(cell.model.spec.name, cell.task.spec.name), "there are no dialogues"
        for part in cell.parts:
            for row in read_part(part_path(folder, part.index), ["generations", "error"]):
                if row["generations"]:
                    return None
                cause = str(row["error"])
        return cause

    def _all_items_failed(self, cell: Cell) -> str | None:
        """The cause when not one item of a cell could be scored: then the cell has failed, not its items."""
        folder = self.directory.outcomes(cell.model.spec.name, cell.task.spec.name)
        cause = "the task has no items"
        for part in cell.parts:
            for row in read_part(part_path(folder, part.index), ["score", "error"]):
                if row["score"] is not None:
                    return None
                cause = str(row["error"])
        return cause

    def _note(self, cell: Cell, why: str | None) -> None:
        model, task = cell.model.spec.name, cell.task.spec.name
        if why is None:
            self.directory.clear_failure(model, task)
        else:
            self.failures[model, task] = why
            self.directory.write_failure(model, task, why)
        self.progress.finish_cell(cell, why)


def _cause(error: BaseException, doing: str = "") -> str:
    """One line for the report; the traceback goes to the log, where `-v` shows it."""
    logging.getLogger(__name__).info("%s", "".join(traceback.format_exception(error)))
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return doing + (text if text.startswith("out of memory") else "out of memory")
    return f"{doing}{kind}: {text[:300]}" if text else f"{doing}{kind}"
