"""Choices of models that would reason first are refused while planning, each model in one line with the way out."""

from __future__ import annotations

from collections.abc import Sequence

from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.models.thinking_template import thinks_before_choices

_FEW = 3


def thinking_faults(models: Sequence[ResolvedModel], tasks: Sequence[str]) -> list[str]:
    """A line for each model whose template has it reason before it answers.

    Args:
        models: of the run.
        tasks: whose choices would be scored.
    """
    more = f" and {len(tasks) - _FEW} more" if len(tasks) > _FEW else ""
    named = ", ".join(tasks[:_FEW]) + more
    faults = []
    for model in models:
        if (first := thinks_before_choices(model)) is None:
            continue
        told = "enable_thinking=false, " if first.can_be_told else ""
        faults.append(
            f"model {model.spec.name!r}: chat_template={_written(model.spec.chat_template)} has it reason first "
            f"({first.thinking.named}), and the choices of {named} would be scored in the place of its reasoning; "
            f"accepted: {told}chat_template=false, tasks that are generated, or `thinking: flag` in the suite"
        )
    return faults


def _written(template: bool | str) -> str:
    return str(template).lower() if isinstance(template, bool) else template
