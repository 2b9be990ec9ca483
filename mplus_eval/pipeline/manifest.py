"""The manifest: how a run was made - command, versions, hardware, seeds, hashes, and the time of every cell."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

from mplus_eval import __version__
from mplus_eval.capability.items import FEWSHOT_SEED
from mplus_eval.models.cells import Cell
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.stored import model_facts, stored_parts
from mplus_eval.pipeline.versions import versions
from mplus_eval.store.run_directory import RunDirectory

MANIFEST_VERSION = 1


def build_manifest(plan: Plan, directory: RunDirectory, *, command: Sequence[str], seconds: float) -> dict[str, object]:
    """Describe a run.

    Args:
        plan: its cells.
        directory: where they are stored.
        command: the command line that made it.
        seconds: how long this pass took; cells that were stored before keep the time of theirs.
    """
    import psutil
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    models = {}
    for model in plan.models:
        facts = model_facts(plan.of_model(model), directory)
        models[model.spec.name] = {
            "source": model.spec.source,
            "weights": model.weights,
            "tokenizer": model.tokenizer,
            "chat_template": model.chat_template,
            "backend": model.backend,
            "device": facts.get("device"),
            "scoring": facts.get("scoring"),
        }
    noise_floor = {}
    if (rerun := plan.noise_rerun) is not None:
        cells = [_cell(cell, directory) for cell in plan.of_model(rerun)]
        noise_floor = {"noise_floor": {"batch_size": rerun.spec.batch_size, "cells": cells}}
    return {
        "schema_version": MANIFEST_VERSION,
        "mplus_eval": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "seconds": round(seconds, 1),
        "items": plan.spec.items,
        "seeds": {"run": plan.spec.seed, "few_shot": FEWSHOT_SEED},
        "versions": versions(),
        "hardware": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "devices": devices or ["cpu"],
        },
        "models": models,
        "cells": [_cell(cell, directory) for cell in plan.cells if cell.model is not plan.noise_rerun],
        **noise_floor,
    }


def _cell(cell: Cell, directory: RunDirectory) -> dict[str, object]:
    infos = list(stored_parts(cell, directory))
    # What a later round would have asked, had verdicts not been settled, is not counted.
    asked = [part for part, info in zip(cell.parts, infos, strict=True) if info or part.round == 0]
    return {
        "model": cell.model.spec.name,
        "task": cell.task,
        "fingerprint": cell.fingerprint,
        "components": dict(cell.components),
        "n_items": sum(len(part.items) for part in asked),
        "seconds": round(sum(info.seconds for info in infos if info), 2),
    }
