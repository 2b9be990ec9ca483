"""What a run will take: cells, items, requests, tokens, time, disk and money, before any of it is computed.

Counted are the requests that are still to be asked, by their tokenizers alone (`backends.work`). Seconds come from
what is most like them: cells that are stored, another run, or what was measured of the loaded models (`speed`).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.backends import requests_per_call
from mplus_eval.backends.unloaded import UnloadedModel
from mplus_eval.backends.work import Draw, Work, count_work
from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.speed import Span, Speed
from mplus_eval.pipeline.stored import stored_parts
from mplus_eval.store.run_directory import RunDirectory

_MILLION = 1_000_000
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


@dataclass(frozen=True)
class ModelEstimate:
    """What one model will take.

    Attributes:
        price: at most, in the currency of its prices; None where it has none.
        on_gpu: whether it computes on one.
    """

    name: str
    work: Work
    loading: float
    scoring: Span | None
    generation: Span | None
    price: float | None
    on_gpu: bool

    @property
    def span(self) -> Span | None:
        """All of it, and loading."""
        if self.scoring is None or self.generation is None:
            return None
        return Span(self.loading, self.loading, self.loading) + self.scoring + self.generation


@dataclass(frozen=True)
class Estimate:
    """What all of it will take.

    Attributes:
        n_cells: of the plan, and how many of them are stored.
        free: bytes of the disk that the run is stored on.
        at_most: whether asking may stop before, with the verdicts.
        not_timed: why nothing was measured of a model, by its name.
        beside: what takes time besides and is not timed, with how many texts it reads: scorers, judges.
    """

    n_cells: int
    n_stored: int
    models: tuple[ModelEstimate, ...]
    free: int
    at_most: bool
    not_timed: Mapping[str, str]
    beside: tuple[str, ...]

    @property
    def work(self) -> Work:
        """Of all models."""
        return Work.total(model.work for model in self.models)

    @property
    def span(self) -> Span | None:
        """Of all models; None where one of them is not known."""
        return _sum([model.span for model in self.models])

    @property
    def scoring(self) -> Span | None:
        """Of all models, what is scored."""
        return _sum([model.scoring for model in self.models])

    @property
    def generation(self) -> Span | None:
        """Of all models, what is generated."""
        return _sum([model.generation for model in self.models])

    @property
    def gpu_hours(self) -> float | None:
        """Of the models that compute on a GPU; None where there is none, or where their time is not known."""
        span = _sum([model.span for model in self.models if model.on_gpu])
        return None if span is None or not any(model.on_gpu for model in self.models) else span.middle / 3600

    @property
    def price(self) -> float | None:
        """At most, of the models that have prices."""
        prices = [model.price for model in self.models if model.price is not None]
        return sum(prices) if prices else None

    def as_json(self) -> dict[str, object]:
        """For the manifest."""
        work, span = self.work, self.span
        return {
            "cells": self.n_cells - self.n_stored,
            "items": round(work.items),
            "requests": round(work.requests),
            "tokens_scored": round(work.scored + work.rescored),
            "tokens_read": round(work.read),
            "tokens_generated_at_most": round(work.written),
            "disk_bytes": round(work.stored),
            "seconds": None
            if span is None
            else {name: round(getattr(span, name), 1) for name in ("low", "middle", "high")},
            "gpu_hours": self.gpu_hours,
            "price_at_most": self.price,
        }


Missing = Mapping[str, Sequence[Part]]
"""The parts of cells that are to be asked, by the cell's name."""


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


def combine(
    plan: Plan,
    directory: RunDirectory,
    cells: Sequence[CellEstimate],
    measured: Measured,
    speeds: Mapping[str, Speed] | None = None,
    not_timed: Mapping[str, str] | None = None,
) -> Estimate:
    """Turn what was counted and measured into an estimate.

    Args:
        plan: the cells.
        directory: where the run lies or will lie.
        cells: as counted.
        measured: seconds of cells that are there.
        speeds: of the models that were loaded to be measured, by name.
        not_timed: why others could not be.
    """
    speeds = speeds or {}
    timed = [each.timed(measured, speeds.get(_weights_of(plan, each.cell.model))) for each in cells]
    models = []
    for model in plan.passes:
        of_model = [each for each in timed if each.cell.model is model]
        if any(each.work.items for each in of_model):
            models.append(_of_model(model, of_model, speeds.get(_weights_of(plan, model))))
    n_stored = sum(not each.draws and not each.work.items for each in cells)
    return Estimate(
        len(cells),
        n_stored,
        tuple(models),
        _free(directory.path),
        plan.spec.sequential,
        not_timed or {},
        tuple(_beside(cells)),
    )


def _beside(cells: Sequence[CellEstimate]) -> Iterator[str]:
    """Who reads texts when they are written, and how many; how long that takes nothing tells."""
    for name, axis in (("toxicity scorers", "harmlessness"), ("judges", "conversation")):
        of_axis = [each.work for each in cells if each.cell.axis == axis and each.work.items]
        if of_axis:
            yield f"{name} ({sum(work.texts for work in of_axis):,.0f} texts)"


def _of_model(model: ResolvedModel, cells: Sequence[CellEstimate], speed: Speed | None) -> ModelEstimate:
    work = Work.total(each.work for each in cells)
    return ModelEstimate(
        model.spec.name,
        work,
        speed.loading if speed else 0.0,
        _sum([each.scoring for each in cells]),
        _sum([each.generation for each in cells]),
        _price(model, work),
        _on_gpu(model, speed),
    )


def _price(model: ResolvedModel, work: Work) -> float | None:
    """What a server asks for at most; its prices are of a million tokens."""
    reads, writes = getattr(model.spec, "price_in", None), getattr(model.spec, "price_out", None)
    if reads is None and writes is None:
        return None
    return ((reads or 0.0) * work.sent + (writes or 0.0) * work.written) / _MILLION


def _on_gpu(model: ResolvedModel, speed: Speed | None) -> bool:
    if model.location.path is None:
        return False
    if speed is not None and speed.device is not None:
        return speed.device.startswith("cuda")
    from mplus_eval.backends.hf import device_of

    return device_of(model.spec).startswith("cuda")


def _weights_of(plan: Plan, model: ResolvedModel) -> str:
    """The model whose speed it has: of the noise rerun, the baseline."""
    return plan.baseline.spec.name if model is plan.noise_rerun else model.spec.name


def _sum(spans: Sequence[Span | None]) -> Span | None:
    known = [span for span in spans if span is not None]
    return sum(known, Span()) if len(known) == len(spans) else None


def _free(path: Path) -> int:
    """Free bytes of the disk that a folder lies on, or will lie on."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(there).free


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
