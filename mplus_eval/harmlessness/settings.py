"""What a run evaluates of harmlessness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.harmlessness import HarmlessnessSettings

if TYPE_CHECKING:
    from mplus_eval.spec.suite import Suite


def harmlessness_of(spec: CompareSpec, suite: Suite) -> tuple[HarmlessnessSettings | None, list[str]]:
    """What a run evaluates of harmlessness, None where nothing; and what is wrong with what was asked for.

    It is on where the suite has settings, unless single tasks were named or it was switched off.
    """
    settings = suite.harmlessness
    wanted = spec.toxicity if spec.toxicity is not None else spec.tasks is None or bool(spec.scorers)
    if not wanted or settings is None:
        return None, [f"suite {suite.name!r} has no settings of harmlessness"] if spec.toxicity else []
    if spec.scorers:
        settings = settings.model_copy(update={"scorers": spec.scorers})
    from mplus_eval.harmlessness.scorers import scorer_faults

    return settings, [fault for scorer in settings.scorers for fault in scorer_faults(scorer)]
