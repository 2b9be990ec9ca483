"""What a run will take: cells, items, requests, tokens, time, disk and money, before any of it is computed.

Seconds come from what is most like what is to be asked (`counting`): cells that are stored, another run, or what was
measured of the loaded models (`speed`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mplus_eval.backends.work import Work
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.counting import CellEstimate
from mplus_eval.pipeline.executors.expected import Expected
from mplus_eval.pipeline.executors.local import seats_of
from mplus_eval.pipeline.executors.schedule import Seat
from mplus_eval.pipeline.executors.simulation import simulate
from mplus_eval.pipeline.executors.work import cut, longest_shard
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.speed import Span, Speed
from mplus_eval.pipeline.stored import missing_parts
from mplus_eval.store.run_directory import RunDirectory

_MILLION = 1_000_000
_TOKENS_SCORED, _TOKENS_WRITTEN = 5_000, 200
"""A second, of a model of which nothing is known."""


@dataclass(frozen=True)
class ModelEstimate:
    """What one model will take.

    Attributes:
        price: at most, in the currency of its prices; None where it has none.
        n_gpus: on which it computes; 0 for none.
    """

    name: str
    work: Work
    loading: float
    scoring: Span | None
    generation: Span | None
    price: float | None
    n_gpus: int

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
        expected: seconds of cells and loads, by which they are given out to workers.
        n_workers: who share the work.
        together: how long it takes them; None where one worker does it all, or where that is not known.
    """

    n_cells: int
    n_stored: int
    models: tuple[ModelEstimate, ...]
    free: int
    at_most: bool
    not_timed: Mapping[str, str]
    beside: tuple[str, ...]
    expected: Expected = field(default_factory=lambda: Expected({}))
    n_workers: int = 1
    together: Span | None = None

    @property
    def work(self) -> Work:
        """Of all models."""
        return Work.total(model.work for model in self.models)

    @property
    def span(self) -> Span | None:
        """Of all models, by all workers; None where one of them is not known."""
        return self.together or _sum([model.span for model in self.models])

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
        """Of the models that compute on GPUs; None where there is none, or where their time is not known."""
        taken = [(model.span, model.n_gpus) for model in self.models if model.n_gpus]
        if not taken or any(span is None for span, _ in taken):
            return None
        return sum(span.middle * n_gpus for span, n_gpus in taken if span) / 3600

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
    loading = {name: speed.loading for name, speed in speeds.items()}
    expected = Expected({each.cell.key: _middle(each) for each in timed if each.work.items}, loading)
    seats = seats_of(plan.spec)
    return Estimate(
        len(cells),
        n_stored,
        tuple(models),
        _free(directory.path),
        plan.spec.sequential,
        not_timed or {},
        tuple(_beside(cells)),
        expected,
        max(len(seats), 1),
        _together(plan, directory, timed, loading, seats) if len(seats) > 1 else None,
    )


def _middle(cell: CellEstimate) -> float:
    """Seconds that a cell is expected to take; by its tokens where nothing tells it, so that an order is found."""
    if cell.span is not None:
        return cell.span.middle
    work = cell.work
    return (work.scored + work.rescored + work.read) / _TOKENS_SCORED + work.written / _TOKENS_WRITTEN


def _together(
    plan: Plan,
    directory: RunDirectory,
    cells: Sequence[CellEstimate],
    loading: Mapping[str, float],
    seats: Sequence[Seat],
) -> Span | None:
    """How long workers take together, by the schedule that gives the work out to them; None where that is not known."""
    asked = [each for each in cells if each.work.items]
    if any(each.span is None for each in asked):
        return None
    missing = {each.cell.key: missing_parts(each.cell, directory, len(each.cell.parts)) for each in asked}

    def makespan(bound: str) -> float:
        expected = Expected({each.cell.key: getattr(each.span, bound) for each in asked}, loading)
        needs = {model.spec.name: expected.needs(model) for model in plan.passes}
        longest = longest_shard(sum(expected.cells.values()), len(seats))
        shards = [
            shard
            for each in asked
            for shard in cut(each.cell, missing[each.cell.key], expected.cells[each.cell.key], longest)
        ]
        return simulate(shards, needs, seats).makespan

    return Span(makespan("low"), makespan("middle"), makespan("high"))


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
        model.spec.n_devices if _on_gpu(model, speed) else 0,
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
