"""From what was asked for to the plan: everything looked at whole, the models found, the cells listed.

The driver of a run does it, and so does every worker for itself: both come to the same cells, or a shard is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.audit.foreseen import foreseen
from mplus_eval.models.locations import demo_names
from mplus_eval.pipeline.plan import Plan, make_plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.validate import validate
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.trajectory import left_out
from mplus_eval.store.run_directory import RunDirectory


def prepare_plan(
    spec: CompareSpec, directory: RunDirectory, progress: RunProgress | None = None, faults: Sequence[str] = ()
) -> Plan:
    """Make the plan of a run, and say what is to be said of it.

    Args:
        spec: what was asked for.
        directory: where the run lies or will lie.
        progress: told of what goes on; silent when None.
        faults: what is known to be wrong with what was asked for.

    Raises:
        SpecError: with every fault.
    """
    progress = progress or RunProgress()
    validated = validate(spec, progress.prepare, faults)
    for line in left_out(spec.trajectory, spec.models):
        progress.say(line)
    demo: dict[str, Path] = {}
    if names := demo_names(spec.models):
        from mplus_eval.training.demo_models import demo_models

        # Those not trained yet are first, together, which is sooner.
        demo = dict(zip(names, demo_models(names, progress.prepare), strict=True))
    plan = make_plan(validated, directory, demo, progress.prepare)
    for line in (line for axis in plan.axes for line in axis.asked()):
        progress.say(line)
    for line in foreseen(plan.models, plan.baseline, spec.allow):
        progress.say(line)
    return plan
