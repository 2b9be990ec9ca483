"""A worker: one process with one loaded model at a time, which answers, scores and stores shards.

It works by a plan of its own, which everybody makes alike of the same `CompareSpec`, and refuses a shard of which it
would compute something else than was asked for. What is stored already it does not compute again, so a shard may be
given to several workers one after the other.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from mplus_eval.backends import Backend, LoadedModel, load_backend
from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors.base import Advanced, Finished
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.work import Shard
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.prepare import prepare_plan
from mplus_eval.pipeline.score import CellScores
from mplus_eval.pipeline.stored import merged, missing_parts
from mplus_eval.redaction import without_secrets
from mplus_eval.servers.usage import Spent
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

Loader = Callable[[ResolvedModel], Backend]


@dataclass(frozen=True)
class PartTook:
    """What answering a part took, and of what model."""

    seconds: float
    facts: LoadedModel
    spent: Spent


class LoadingFailedError(Exception):
    """The model of a shard could not be loaded; the message is the cause."""


class TakenOverError(Exception):
    """Another machine computes the shard by now."""


class Worker:
    """Computes shards, one at a time."""

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        *,
        seat: Seat,
        tell: Callable[[Advanced], None],
        load: Loader | None = None,
        holds: Callable[[Shard], bool] = lambda _: True,
    ) -> None:
        """Take a plan of this process' own.

        Args:
            plan: all cells.
            directory: where parts are stored.
            seat: where it sits.
            tell: called as items are done.
            load: how a model is loaded; the backends' own way when None.
            holds: whether a shard is still this worker's to store.
        """
        self._plan, self._directory, self._seat, self._tell, self._load = plan, directory, seat, tell, load
        self._holds = holds
        self._cells = {cell.key: cell for cell in plan.cells}
        self._scores = CellScores(plan, directory)
        self._model: ResolvedModel | None = None
        self._backend: Backend | None = None

    @classmethod
    def of_spec(
        cls, spec: CompareSpec, *, seat: Seat, tell: Callable[[Advanced], None], load: Loader | None = None
    ) -> Self:
        """A worker in a process of its own, which makes its own plan of what was asked for.

        Raises:
            SpecError: what was asked for cannot be computed here.
        """
        directory = RunDirectory(spec.output, is_shared=spec.executor == "shared")
        return cls(prepare_plan(spec, directory), directory, seat=seat, tell=tell, load=load)

    def work(self, shard: Shard) -> Finished:
        """Compute what is missing of a shard, whatever fails of it.

        Raises:
            OSError: the disk is full.
            InterruptedRunError: a process that holds a slice of the model is gone.
        """
        started = time.monotonic()

        def finished(cause: str | None = None, stage: str = "asking") -> Finished:
            return Finished(self._seat, shard, cause, stage, time.monotonic() - started)  # type: ignore[arg-type]

        cell = self._cells.get(shard.cell)
        if cell is None or (cell.fingerprint, len(cell.parts)) != (shard.fingerprint, shard.n_parts):
            return finished(self._other_cell(shard, cell), "plan")
        try:
            self._follow_up(shard, cell) if shard.follow_up else self._answer(shard, cell)
        except LoadingFailedError as error:
            return finished(str(error), "loading")
        except TakenOverError:
            return finished("another machine computes it", "taken over")
        except Exception as error:
            # A shard may fail in any way; its cell is stored with the cause, and the others go on.
            if ends_the_run(error):
                raise
            return finished(cause_of(error))
        return finished()

    def close(self) -> None:
        """Give back the model and what scores."""
        self._scores.close()
        self._unload()

    def _answer(self, shard: Shard, cell: Cell) -> None:
        """Answer, store and score the parts of a shard."""
        axis = self._plan.axis_of(cell)
        missing = missing_parts(cell, self._directory, shard.round, shard.parts)
        if missing:
            backend = self._loaded(cell.model)
            told = self._teller(shard)
            before = backend.facts.spent
            started = time.monotonic()
            for part, answers in axis.generate(cell, missing, backend, told):
                seconds, facts = time.monotonic() - started, backend.facts
                took = facts.spent - (before or Spent()) if facts.spent else Spent()
                if not self._holds(shard):
                    raise TakenOverError
                self._store(cell, part, answers, PartTook(seconds, facts, took))
                self._scores.score_in_background(cell, cell.parts[part.index], facts.device)
                before, started = facts.spent, time.monotonic()
        self._scores.score(cell, [cell.parts[index] for index in shard.parts])

    def _follow_up(self, shard: Shard, cell: Cell) -> None:
        """Ask the baseline about another model's answers."""
        axis, baseline = self._plan.axis_of(cell), self._plan.baseline
        for follow_up in axis.follow_ups([cell], baseline, self._directory):
            if follow_up.part.index in shard.parts:
                if not self._holds(shard):
                    raise TakenOverError
                follow_up.ask(self._loaded(baseline), self._directory)

    def _loaded(self, model: ResolvedModel) -> Backend:
        """The model, loaded in the place of the one before.

        Raises:
            LoadingFailedError: naming the cause.
        """
        if self._backend is None or self._model is not model:
            self._unload()
            try:
                if self._load is not None:
                    self._backend = self._load(model)
                else:
                    self._backend = load_backend(model.backend, model.spec, model.location)
            except Exception as error:
                # Any failure to load is this model's; the others go on.
                if ends_the_run(error):
                    raise
                raise LoadingFailedError(cause_of(error, "loading the model: ")) from None
            self._model = model
        return self._backend

    def _unload(self) -> None:
        if self._backend is not None:
            self._backend.close()
        self._backend, self._model = None, None

    def _teller(self, shard: Shard) -> Callable[[int], None]:
        last = time.monotonic()

        def told(n_items: int) -> None:
            nonlocal last
            now = time.monotonic()
            self._tell(Advanced(self._seat, shard, n_items, now - last))
            last = now

        return told

    def _store(self, cell: Cell, part: Part, answers: Sequence[Answer], took: PartTook) -> None:
        """Write a part; of one that was asked again for some of its items, with the answers that it had."""
        path, whole = part_path(self._directory.answers(*cell.key), part.index), cell.parts[part.index]
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
        write_part(path, Answer, answers, info, once=self._directory.is_shared)

    def _other_cell(self, shard: Shard, cell: Cell | None) -> str:
        """Why a shard is refused."""
        if cell is None:
            return f"{self._seat.name} has no such cell in its own plan"
        keys = sorted({**shard.components, **cell.components})
        differ = [key for key in keys if shard.components.get(key) != cell.components.get(key)]
        return f"{self._seat.name} would compute something else, with different {', '.join(differ or ['parts'])}"


def ends_the_run(error: Exception) -> bool:
    """Whether no other cell can be computed either."""
    return isinstance(error, InterruptedRunError) or (isinstance(error, OSError) and error.errno in FULL_DISK)


def cause_of(error: BaseException, doing: str = "") -> str:
    """One line for the report; the traceback goes to the log, where `-v` shows it."""
    logging.getLogger(__name__).info("%s", "".join(traceback.format_exception(error)))
    text = without_secrets(" ".join(str(error).split()))
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return doing + (text if text.startswith("out of memory") else "out of memory")
    return f"{doing}{kind}: {text[:300]}" if text else f"{doing}{kind}"
