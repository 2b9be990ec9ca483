"""The executor that was asked for."""

from __future__ import annotations

from mplus_eval.pipeline.executors.base import Executor
from mplus_eval.pipeline.executors.local import Local
from mplus_eval.pipeline.executors.worker import Loader
from mplus_eval.spec.compare import CompareSpec


def chosen_executor(spec: CompareSpec, load: Loader | None = None) -> Executor | None:
    """Who computes the cells of a run; None for a worker in this process.

    Args:
        spec: what was asked for.
        load: how a model is loaded, to be found by name in another process; the backends' own way when None.
    """
    return Local(spec, load) if spec.devices is not None else None
