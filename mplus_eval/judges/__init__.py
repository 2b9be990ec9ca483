"""Judges: who says which of two answers is better, or how good one is.

The kinds of judges stand in a table, `mplus_eval.spec.judges`; each is a module of this folder with the functions
of `JudgeModule`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import JudgeContext, JudgeModule, JudgeWeights, PairJudge
from mplus_eval.spec.judges import judge_kind

__all__ = ["JudgeContext", "judge_faults", "judge_weights", "load_judge", "suite_judge_faults"]


def judge_faults(source: str) -> list[str]:
    """Return what stands in the way of a judge, a line each, before any answer is generated."""
    try:
        module = _module(source)
    except SpecError as error:
        return list(error.faults)
    return module.faults(source.partition(":")[2], f"judge {source!r}")


def suite_judge_faults(source: str, folder: Path | None) -> list[str]:
    """The same of a judge that only a suite names: a function is called from the package or this folder alone."""
    try:
        is_function = judge_kind(source).name == "function"
    except SpecError as error:
        return list(error.faults)
    if is_function:
        from mplus_eval.judges.function import refuse_unnamed

        if why := refuse_unnamed(source.partition(":")[2], folder):
            return [f"judge {source!r}: {why}"]
    return judge_faults(source)


def load_judge(source: str, context: JudgeContext) -> PairJudge:
    """A judge, ready to be asked.

    Args:
        source: checked by `judge_faults`, and a bare `reward` replaced by `with_reward_model`.
        context: what it may need of the run.
    """
    return _module(source).load(source.partition(":")[2], context)


def judge_weights(source: str) -> JudgeWeights:
    """What a judge is made of; `source` as in `load_judge`."""
    return _module(source).weights(source.partition(":")[2])


def _module(source: str) -> JudgeModule:
    return cast("JudgeModule", import_module(f"{__name__}.{judge_kind(source).name}"))
