"""Speeds that were measured on this machine, kept for the next command that asks of the same model and device.

    <cache>/speeds/6ad3….json    named by a hash of the model, how it is loaded, its engine, the device and the machine

`plan` measures for half a minute; a `compare` or `plan` behind it need not again. After a week, or where the file is
damaged or lacks a task, it is measured anew. What a run's own cells took goes before it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mplus_eval.backends import engine
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.speed import Speed
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.store.hashes import cache_directory, hash_components
from mplus_eval.store.sealed import forget, recall, write_sealed

LASTS = 7 * 24 * 3600
"""Seconds."""
_SPEED = TypeAdapter(Speed)


def remember(model: ResolvedModel, speed: Speed) -> None:
    """Keep what was measured; where the cache cannot be written it is measured again next time."""
    with suppress(OSError):
        write_sealed(_place(model), {"measured": time.time(), "speed": _SPEED.dump_python(speed, mode="json")})


def remembered(model: ResolvedModel, tasks: Iterable[str] = ()) -> Speed | None:
    """What was measured of a model within the last week; None where nothing was, or not of all these tasks."""
    if model.backend not in BACKENDS:
        return None  # of results that another tool stored nothing is asked
    path = _place(model)
    if (stored := recall(path, always_sealed=True)) is None:
        return None
    try:
        age = time.time() - float(stored["measured"])
        speed = _SPEED.validate_python(stored["speed"])
    except (LookupError, TypeError, ValueError, ValidationError):
        forget(path, f"{path} holds no speed")
        return None
    timed = {*speed.scoring, *speed.reading}
    # A clock that went backwards makes it no younger.
    return speed if 0 <= age < LASTS and set(tasks) <= timed else None


def _place(model: ResolvedModel) -> Path:
    """The file of a model: everything that makes it quicker or slower is in its name."""
    spec = model.spec
    components = {
        **model.components,
        "chat_template": model.chat_template,
        "engine": engine(model.backend),
        "device": _device(model),
        "batch_size": str(spec.batch_size),
        "machine": platform.node(),
    }
    return cache_directory() / "speeds" / f"{hash_components(components)}.json"


def _device(model: ResolvedModel) -> str:
    """What a model here computes on; of a served one, where it is."""
    if model.location.path is None:
        return f"{model.location.base_url} {model.location.served_name}"
    from mplus_eval.backends.hf import device_of

    return device_of(model.spec)
