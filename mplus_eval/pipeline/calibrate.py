"""A plan without a run: everything checked and counted, every model loaded and timed for some seconds.

Of a run nothing is kept; how quick the models are is remembered for the next command (`remembered`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from mplus_eval.backends import Backend, load_backend
from mplus_eval.backends.unloaded import UnloadedModel
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.counting import CellEstimate, count_cells
from mplus_eval.pipeline.estimate import Estimate, combine
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.remembered import remember, remembered
from mplus_eval.pipeline.speed import CALIBRATION_SECONDS, FEWEST_SECONDS, Calibration, Clock, Speed
from mplus_eval.redaction import without_secrets
from mplus_eval.store.run_directory import RunDirectory

Loader = Callable[[ResolvedModel], Backend]
_LONGEST_CAUSE = 300


def estimate_plan(
    plan: Plan,
    directory: RunDirectory,
    progress: RunProgress,
    *,
    measures: bool = False,
    load: Loader | None = None,
    clock: Clock = time.monotonic,
) -> Estimate:
    """Estimate what a plan will take.

    Args:
        plan: the cells.
        directory: where the run lies or will lie; only read.
        progress: told of what is counted and measured.
        measures: whether models are loaded and timed where nothing else tells how quick they are.
        load: how a model is loaded; the backends' own way when None, and then what is measured is remembered.
        clock: seconds.

    Raises:
        UsageError: the run that was named for its times has none.
    """
    measured = Measured.of_plan(plan, directory)
    if plan.spec.from_run is not None:
        kinds = {cell.task: cell.kind for cell in plan.cells}
        measured = measured.over(Measured.of_run(plan.spec.from_run, kinds))
    with progress.phase("counting what will be asked"):
        cells = count_cells(plan, directory)
    untimed = [each for each in cells if each.work.items and each.cell.key not in measured.models_and_tasks]
    of_models = {model.spec.name: [each for each in untimed if each.cell.model is model] for model in plan.models}
    models = [model for model in plan.models if of_models[model.spec.name]]
    speeds = {} if load else _remembered(models, of_models, whole=measures)
    not_timed: dict[str, str] = {}
    unknown = [model for model in models if measures and model.spec.name not in speeds]
    for number, model in enumerate(unknown):
        progress.prepare("measuring", number, len(unknown))
        seconds = max(FEWEST_SECONDS, CALIBRATION_SECONDS / len(unknown))
        try:
            speeds[model.spec.name] = _speed(model, of_models[model.spec.name], seconds, load, clock)
        except Exception as error:  # noqa: BLE001 - as in a run, whatever fails is this model's; the others go on
            not_timed[model.spec.name] = _cause(error)
            continue
        if load is None:
            remember(model, speeds[model.spec.name])
    return combine(plan, directory, cells, measured, speeds, not_timed)


def _remembered(
    models: Sequence[ResolvedModel], cells: Mapping[str, Sequence[CellEstimate]], *, whole: bool
) -> dict[str, Speed]:
    """What an earlier command measured, by model; with `whole` of the models alone of which every task was."""
    speeds = {}
    for model in models:
        tasks = [each.cell.task for each in cells[model.spec.name]] if whole else []
        if (speed := remembered(model, tasks)) is not None:
            speeds[model.spec.name] = speed
    return speeds


def _speed(
    model: ResolvedModel, cells: Sequence[CellEstimate], seconds: float, load: Loader | None, clock: Clock
) -> Speed:
    """Load a model and measure it on the requests that were drawn, of the costliest tasks first."""
    started = clock()
    backend = load(model) if load else load_backend(model.backend, model.spec, model.location)
    try:
        loading = clock() - started
        unloaded = UnloadedModel.of(model)
        costliest = sorted(cells, key=lambda each: -(each.work.scored + each.work.read + each.work.written))
        draws = {each.cell.task: each.draws for each in costliest}
        calibration = Calibration(backend, unloaded.encoding if unloaded else None, clock)
        return calibration.measure(draws, seconds, loading)
    finally:
        backend.close()


def _cause(error: Exception) -> str:
    text = without_secrets(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:_LONGEST_CAUSE]}" if text else type(error).__name__
