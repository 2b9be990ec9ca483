"""Tasks that need log-probabilities, of models whose servers tell none: refused while planning, with the way out."""

from __future__ import annotations

from collections.abc import Sequence

from mplus_eval.models.resolved import ResolvedModel

_FEW = 3


def untold_faults(models: Sequence[ResolvedModel], choices: Sequence[str], texts: Sequence[str]) -> list[str]:
    """A line for each model that cannot be asked.

    Args:
        models: of the run.
        choices: names of tasks whose choices would be scored.
        texts: names of tasks that score whole texts.
    """
    if not (choices or texts):
        return []
    more = ", or `choices: generate` in the suite" if choices and not texts else ""
    return [
        f"model {model.spec.name!r}: the server {model.location.base_url} tells no log-probabilities of a prompt "
        f"({model.location.api.words.split(' (')[0]}), which {_named([*choices, *texts])} needs; accepted: a server "
        f"whose completions take echo and logprobs, as vLLM's, tasks that are generated (--tasks){more}"
        for model in models
        if model.location.api is not None and model.location.api.scores is None
    ]


def _named(tasks: Sequence[str]) -> str:
    more = f" and {len(tasks) - _FEW} more" if len(tasks) > _FEW else ""
    return ", ".join(tasks[:_FEW]) + more
