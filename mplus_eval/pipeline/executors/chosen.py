"""The executor that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mplus_eval.models.cells import Cell
from mplus_eval.pipeline.axis import Axis
from mplus_eval.pipeline.executors.base import Executor
from mplus_eval.pipeline.executors.local import Local
from mplus_eval.pipeline.executors.worker import Loader
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.stored import missing_parts
from mplus_eval.store.run_directory import RunDirectory


def chosen_executor(
    plan: Plan, directory: RunDirectory, progress: RunProgress, load: Loader | None = None
) -> Executor | None:
    """Who computes the cells of a run; None for a worker in this process.

    Args:
        plan: the cells, and what was asked for.
        directory: where parts are stored, and which is locked.
        progress: told of a cluster's nodes that cannot take part.
        load: how a model is loaded, to be found by name in another process; the backends' own way when None.

    Raises:
        UsageError: a cluster cannot be reached, or nobody there can compute this plan.
    """
    if plan.spec.executor == "ray" and _has_work(plan, directory):
        from mplus_eval.pipeline.executors.ray import RayExecutor

        with progress.phase("starting workers"):
            return RayExecutor(plan, directory, say=progress.say, load=load)
    return Local(plan.spec, load) if plan.spec.devices is not None else None


def judged(
    plan: Plan, axis: Axis, cells: Sequence[Cell], directory: RunDirectory, progress: RunProgress
) -> Mapping[str, str]:
    """Have an axis judge the answers of its cells: here, or on a cluster where its judges load models.

    Returns:
        What `Axis.judge` does.
    """
    if plan.spec.executor == "ray":
        from mplus_eval.pipeline.executors.ray_judge import is_judged_there, judge_there

        if is_judged_there(plan, axis, cells):
            with progress.phase("judging"):
                return judge_there(plan, axis, cells, directory, progress.say)
    return axis.judge(cells, directory, progress.prepare, progress.say)


def _has_work(plan: Plan, directory: RunDirectory) -> bool:
    """Whether anything is to be asked; a cluster takes some seconds to start."""
    rounds = max((part.round for cell in plan.cells for part in cell.parts), default=0)
    if any(not cell.refused and missing_parts(cell, directory, rounds) for cell in plan.cells):
        return True
    return any(axis.follow_ups(plan.of_axis(axis), plan.baseline, directory) for axis in plan.axes)
