"""What is still to be asked of a plan's cells, counted by their tokenizers alone (`backends.work`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from mplus_eval.backends import requests_per_call
from mplus_eval.backends.unloaded import UnloadedModel
from mplus_eval.backends.work import Draw, Work, count_work
from mplus_eval.models.cells import Cell, Part
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.speed import Span, Speed
from mplus_eval.pipeline.stored import stored_parts
from mplus_eval.store.run_directory import RunDirectory

BUILDING_SPREAD = 1.3
"""Factor by which the seconds may be off that building requests takes."""


@dataclass(frozen=True)
class CellEstimate:
    """What one cell will take; no spans where nothing tells how long."""

    cell: Cell
    draws: tuple[Draw, ...]
    work: Work
    scoring: Span | None = None
    generation: Span | None = None

    @property
    def span(self) -> Span | None:
        """All of it."""
        return None if self.scoring is None or self.generation is None else self.scoring + self.generation

    def timed(self, measured: Measured, speed: Speed | None) -> CellEstimate:
        """With the seconds that it will take: by items like these where there are some, else by a model's speed."""
        scoring = generation = None
        if (whole := measured.seconds(self.cell, self.work.items)) is not None and (
            speed is None or self.cell.key in measured.models_and_tasks
        ):
            scoring, generation = (Span(), whole) if self.work.written else (whole, Span())
        elif speed is not None:
            scoring = speed.scoring_seconds(self.cell.task, self.work)
            generation = speed.generation_seconds(self.cell.task, self.work)
            building = Span.around(self.work.building, BUILDING_SPREAD)
            if scoring is not None and generation is not None:
                halves = (scoring, generation + building) if self.work.written else (scoring + building, generation)
                scoring, generation = halves
        return CellEstimate(self.cell, self.draws, self.work, scoring, generation)


def count_cells(plan: Plan, directory: RunDirectory) -> list[CellEstimate]:
    """Count what is not stored yet of every cell.

    Args:
        plan: the cells.
        directory: where parts may be stored.
    """
    counter = _Counter(plan)
    cells = []
    for cell in plan.cells:
        missing = [part for part, info in zip(cell.parts, stored_parts(cell, directory), strict=True) if info is None]
        draws, work = counter.count(cell, missing) if missing else ((), Work())
        cells.append(CellEstimate(cell, draws, work))
    return cells


class _Counter:
    """Counts cells; models with the same tokenizer are asked the same, which is counted once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.unloaded: dict[tuple[object, ...], UnloadedModel | None] = {}
        self.counted: dict[tuple[object, ...], tuple[tuple[Draw, ...], Work]] = {}

    def count(self, cell: Cell, missing: Sequence[Part]) -> tuple[tuple[Draw, ...], Work]:
        """What was drawn of a cell's missing parts, and what all of it takes."""
        model = cell.model
        spec, is_baseline = model.spec, model is self.plan.baseline
        texts = (model.tokenizer, model.chat_template, model.talk_format, spec.add_bos, spec.enable_thinking)
        at_once = requests_per_call(model.backend, spec)
        parts = tuple((part.index, part.subtask, len(part.items)) for part in missing)
        key = (*texts, at_once, cell.axis, cell.task, is_baseline, parts, spec.trajectory is None)
        if key not in self.counted:
            if texts not in self.unloaded:
                self.unloaded[texts] = UnloadedModel.of(model)
            talker = self.unloaded[texts]
            axis = self.plan.axis_of(cell)
            try:
                draws = tuple(axis.draw(cell, missing, talker))
                self.counted[key] = draws, count_work(draws, talker.encoding if talker else None, at_once)
            except Exception as error:  # noqa: BLE001 - what fails here fails in the run, cell by cell, with its cause
                logging.getLogger(__name__).info("%s is not counted: %s", cell.name, error)
                self.counted[key] = (), Work(items=sum(len(part.items) for part in missing))
        return self.counted[key]
