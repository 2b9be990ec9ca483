"""Evaluation: every cell of a plan answered and scored, one model loaded at a time, stored part by part.

A part that is stored is never computed again, so a run that was killed goes on with what is missing. A cell that fails
is stored with its cause and the others go on.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mplus_eval.answer import answer_leaf
from mplus_eval.backends import Backend, LoadedModel, load_backend
from mplus_eval.errors import InterruptedRunError
from mplus_eval.fingerprint import hash_components
from mplus_eval.lm_tasks import Leaf
from mplus_eval.outcomes import ANSWER_SCHEMA, OUTCOME_SCHEMA, PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.plan import Cell, Plan, PlannedModel
from mplus_eval.progress import EvaluationProgress
from mplus_eval.run_directory import RunDirectory
from mplus_eval.score import score_leaf

Loader = Callable[[PlannedModel], Backend]


@dataclass(frozen=True)
class Evaluated:
    """What became of the plan: facts of the models that were loaded, and the causes of failed cells."""

    loaded: dict[str, LoadedModel]
    failed: dict[tuple[str, str], str]


def evaluate(plan: Plan, directory: RunDirectory, progress: EvaluationProgress, load: Loader | None = None) -> Evaluated:
    """Answer and score every cell that is not stored yet.

    Args:
        plan: the cells.
        directory: where parts are stored, and found again.
        progress: told of every item.
        load: how a model is loaded; the backends' own way when None.

    Raises:
        InterruptedRunError: when the disk is full; what is stored stays.
    """
    loaded: dict[str, LoadedModel] = {}
    failed: dict[tuple[str, str], str] = {}
    try:
        for model in plan.models:
            _evaluate_model(plan, model, directory, progress, load or _load, loaded, failed)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InterruptedRunError(f"the disk of {directory.path} is full; free some and run the same command") from error
    return Evaluated(loaded, failed)


def _load(model: PlannedModel) -> Backend:
    return load_backend(model.backend, model.spec, model.source)


def _evaluate_model(
    plan: Plan,
    model: PlannedModel,
    directory: RunDirectory,
    progress: EvaluationProgress,
    load: Loader,
    loaded: dict[str, LoadedModel],
    failed: dict[tuple[str, str], str],
) -> None:
    cells = plan.of_model(model)
    backend: Backend | None = None
    cause = None
    for cell in cells:
        missing = missing_parts(cell, directory)
        progress.start_cell(cell, sum(leaf.n_items(plan.spec.limit) for _, leaf in missing))
        if missing and backend is None and cause is None:
            backend, cause = _loaded(model, load)
            if backend is not None:
                loaded[model.spec.name] = backend.facts
        if cause is None:
            why = _run_cell(cell, missing, directory, backend, plan.spec.limit, progress)
        else:
            why = cause
        _note(cell, why, directory, failed)
    if backend is not None:
        backend.close()


def _loaded(model: PlannedModel, load: Loader) -> tuple[Backend | None, str | None]:
    try:
        return load(model), None
    except Exception as error:  # noqa: BLE001 - any failure to load is this model's; the others go on, the cause is kept
        return None, _cause(error, "loading the model: ")


def _run_cell(
    cell: Cell,
    missing: Sequence[tuple[int, Leaf]],
    directory: RunDirectory,
    backend: Backend | None,
    limit: int | None,
    progress: EvaluationProgress,
) -> str | None:
    """Compute what a cell lacks; return why it failed, or None."""
    try:
        for index, leaf in missing:
            assert backend is not None
            _answer_part(cell, index, leaf, directory, backend, limit, progress)
        _score_cell(cell, directory, limit)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        return _cause(error)
    except Exception as error:  # noqa: BLE001 - a cell may fail in any way; it is stored with its cause, the others go on
        return _cause(error)
    return _all_items_failed(cell, directory)


def missing_parts(cell: Cell, directory: RunDirectory) -> list[tuple[int, Leaf]]:
    """The parts of a cell's answers that are not stored yet, with their numbers."""
    model, task = cell.model.spec.name, cell.task.spec.name
    return [
        (index, leaf)
        for index, leaf in enumerate(cell.task.leaves)
        if (info := directory.answered(model, task, index)) is None or info.fingerprint != cell.fingerprint
    ]


def _answer_part(
    cell: Cell,
    index: int,
    leaf: Leaf,
    directory: RunDirectory,
    backend: Backend,
    limit: int | None,
    progress: EvaluationProgress,
) -> None:
    started = time.monotonic()
    chat = cell.model.chat_template != "plain"
    rows = answer_leaf(leaf, backend, limit=limit, chat=chat, on_items=progress.advance)
    info = PartInfo(cell.fingerprint, cell.components, index, len(cell.task.leaves), time.monotonic() - started)
    write_part(part_path(directory.answers(cell.model.spec.name, cell.task.spec.name), index), rows, ANSWER_SCHEMA, info)


def _score_cell(cell: Cell, directory: RunDirectory, limit: int | None) -> None:
    """Score every part whose outcomes are not stored yet under this metric."""
    scorer = {"metric": cell.task.metric, "filter": cell.task.filter, "answers": cell.fingerprint}
    fingerprint = hash_components(scorer)
    answers = directory.answers(cell.model.spec.name, cell.task.spec.name)
    outcomes = directory.outcomes(cell.model.spec.name, cell.task.spec.name)
    for index, leaf in enumerate(cell.task.leaves):
        stored = part_info(part_path(outcomes, index))
        if stored is None or stored.fingerprint != fingerprint:
            rows = score_leaf(cell.task, leaf, read_part(part_path(answers, index)), limit=limit)
            info = PartInfo(fingerprint, {**cell.components, **scorer}, index, len(cell.task.leaves))
            write_part(part_path(outcomes, index), rows, OUTCOME_SCHEMA, info)


def _all_items_failed(cell: Cell, directory: RunDirectory) -> str | None:
    """The cause when not one item of a cell could be scored: then the cell has failed, not its items."""
    causes = []
    for row in outcome_rows(cell, directory):
        if row["score"] is not None:
            return None
        causes.append(row["error"])
    return str(causes[0]) if causes else "no item was found"


def outcome_rows(cell: Cell, directory: RunDirectory) -> Iterator[dict[str, object]]:
    """The stored outcomes of a cell, part by part."""
    folder = directory.outcomes(cell.model.spec.name, cell.task.spec.name)
    for index in range(len(cell.task.leaves)):
        yield from read_part(part_path(folder, index))


def _note(cell: Cell, why: str | None, directory: RunDirectory, failed: dict[tuple[str, str], str]) -> None:
    model, task = cell.model.spec.name, cell.task.spec.name
    if why is None:
        directory.clear_failure(model, task)
    else:
        failed[model, task] = why
        directory.write_failure(model, task, why)


def _cause(error: BaseException, doing: str = "") -> str:
    """One line for the report; the traceback goes to the log, where `-v` shows it."""
    import logging

    logging.getLogger(__name__).info("%s", "".join(traceback.format_exception(error)))
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        return f"{doing}out of memory, also with one item at a time"
    return f"{doing}{kind}: {text[:300]}" if text else f"{doing}{kind}"
