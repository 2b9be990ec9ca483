"""Where a suite has a task ask otherwise than lm-eval's definition: stop strings, and how long an answer may be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import SuiteTask

_ALSO = {"max_gen_toks": ("max_new_tokens", "max_tokens", "max_completion_tokens")}
"""Other names of a setting, which lm-eval takes in this order where its own is not there."""
_DEFAULT_LENGTH = 256
"""lm-eval's own limit of new tokens, of tasks that have none."""


def departed(spec: SuiteTask, subtasks: Sequence[SubtaskConfig]) -> tuple[list[SubtaskConfig], tuple[str, ...]]:
    """Return the subtasks as the suite has them asked, and in which settings that is not lm-eval's own way.

    Args:
        spec: the task in the suite.
        subtasks: as they are defined; of a group with choices too, only those that generate are changed.

    Raises:
        UsageError: the suite sets what no subtask has a use for.
    """
    named = [key for key in ("until", "max_gen_toks") if getattr(spec, key) is not None]
    if not named:
        return list(subtasks), ()
    if not any(_generates(subtask) for subtask in subtasks):
        kind = subtasks[0].config.get("output_type")
        raise UsageError(
            f"{' and '.join(named)}: of tasks that generate an answer, and it generates none "
            f"(output_type {kind}); leave out {' and '.join(named)}"
        )
    departures: dict[str, None] = {}
    changed = []
    for subtask in subtasks:
        settings = _settings(subtask) if _generates(subtask) else {}
        for key, own in _own(subtask, settings).items() if settings else ():
            wanted = {"until": list(spec.until or ()), "max_gen_toks": spec.max_gen_toks}[key]
            if key in named and wanted != own:
                settings = {name: value for name, value in settings.items() if name not in (key, *_ALSO.get(key, ()))}
                settings[key] = wanted
                departures[f"{key} {_written(wanted)} instead of {_written(own)}"] = None
                subtask = replace(subtask, config={**subtask.config, "generation_kwargs": settings})
        changed.append(subtask)
    return changed, tuple(departures)


def _generates(subtask: SubtaskConfig) -> bool:
    return bool(subtask.config.get("output_type", "generate_until") == "generate_until")


def _settings(subtask: SubtaskConfig) -> dict[str, Any]:
    """How a definition has answers generated; greedily where it does not say."""
    given = subtask.config.get("generation_kwargs")
    return {"do_sample": False, "temperature": 0.0} if given is None else dict(given)


def _own(subtask: SubtaskConfig, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a suite may set, as the definition has it, or lm-eval where that is silent."""
    until = settings.get("until", subtask.config.get("fewshot_delimiter", "\n\n"))
    names = ("max_gen_toks", *_ALSO["max_gen_toks"])
    length = next((settings[key] for key in names if settings.get(key) is not None), _DEFAULT_LENGTH)
    return {"until": until if isinstance(until, list) else [until], "max_gen_toks": length}


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
