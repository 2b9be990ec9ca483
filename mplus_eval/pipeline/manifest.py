"""The manifest: how a run was made - command, versions, hardware, seeds, hashes, and the time of every cell."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from mplus_eval import __version__
from mplus_eval.capability.items import FEWSHOT_SEED
from mplus_eval.models.cells import Cell
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.estimate import Estimate
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.spent import cost
from mplus_eval.pipeline.stored import model_facts, spent, stored_parts
from mplus_eval.pipeline.versions import versions
from mplus_eval.redaction import without_secrets
from mplus_eval.servers.usage import Spent
from mplus_eval.store.run_directory import RunDirectory

MANIFEST_VERSION = 1


def build_manifest(
    plan: Plan,
    directory: RunDirectory,
    *,
    command: Sequence[str],
    seconds: float,
    estimate: Estimate | None = None,
) -> dict[str, object]:
    """Describe a run.

    Args:
        plan: its cells.
        directory: where they are stored.
        command: the command line that made it.
        seconds: how long this pass took; cells that were stored before keep the time of theirs.
        estimate: what this pass was expected to take; told with what it took.
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
            **_served(model, plan, directory),
        }
    noise_floor = {}
    if (rerun := plan.noise_rerun) is not None:
        cells = [_cell(cell, directory) for cell in plan.of_model(rerun)]
        noise_floor = {"noise_floor": {"batch_size": rerun.spec.batch_size, "cells": cells}}
    return {
        "schema_version": MANIFEST_VERSION,
        "mplus_eval": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": without_secrets(" ".join(command)),
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
        **({"estimate": estimate.as_json(), "outcome": _outcome(directory, seconds)} if estimate else {}),
    }


def _served(model: ResolvedModel, plan: Plan, directory: RunDirectory) -> dict[str, object]:
    """How a served model is asked, and what that took so far; nothing of a model that is here."""
    if model.location.api is None:
        return {}
    took = spent(plan.of_model(model), directory) or Spent()
    return {"api": model.location.api.words, "spent": asdict(took), "cost": cost(model, took)}


def _outcome(directory: RunDirectory, seconds: float) -> dict[str, object]:
    """What this pass took, in the words of the estimate; the disk holds what earlier ones left, too."""
    folders = (directory.path / name for name in ("answers", "outcomes", "likelihoods"))
    files = (file for folder in folders for file in folder.rglob("part-*.parquet"))
    return {"seconds": round(seconds, 1), "disk_bytes": sum(file.stat().st_size for file in files)}


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
        "seconds": round(sum(info.seconds for info in infos if info), 3),
    }
