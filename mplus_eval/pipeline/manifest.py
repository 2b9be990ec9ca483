"""The manifest: how a run was made - command, versions, hardware, seeds, hashes, and the time of every cell."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mplus_eval import __version__
from mplus_eval.capability.items import FEWSHOT_SEED
from mplus_eval.models.cells import Cell
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.stored import cell_seconds, model_facts
from mplus_eval.store.run_directory import RunDirectory

MANIFEST_VERSION = 1
PACKAGES = (
    "accelerate",
    "datasets",
    "lm_eval",
    "numpy",
    "pandas",
    "peft",
    "scipy",
    "statsmodels",
    "torch",
    "transformers",
    "trl",
    "vllm",
)


def build_manifest(plan: Plan, directory: RunDirectory, *, command: Sequence[str], seconds: float) -> dict[str, Any]:
    """Describe a run.

    Args:
        plan: its cells.
        directory: where they are stored.
        command: the command line that made it.
        seconds: how long this pass took; cells that were stored before keep the time of theirs.
    """
    return {
        "schema_version": MANIFEST_VERSION,
        "mplus_eval": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "seconds": round(seconds, 1),
        "seeds": {"run": plan.spec.seed, "few_shot": FEWSHOT_SEED},
        "versions": installed_versions(),
        "hardware": hardware(),
        "models": {model.spec.name: _model(plan, model, directory) for model in plan.models},
        "cells": [_cell(cell, directory) for cell in plan.cells if cell.model is not plan.noise],
        **_noise_floor(plan, directory),
    }


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers may depend on, where they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def hardware() -> dict[str, Any]:
    """What the run was made on."""
    import psutil
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "devices": devices or ["cpu"],
    }


def _cell(cell: Cell, directory: RunDirectory) -> dict[str, Any]:
    return {
        "model": cell.model.spec.name,
        "task": cell.task,
        "fingerprint": cell.fingerprint,
        "components": dict(cell.components),
        "n_items": cell.n_items,
        "seconds": round(cell_seconds(cell, directory), 2),
    }


def _noise_floor(plan: Plan, directory: RunDirectory) -> dict[str, Any]:
    """The second pass of the baseline, where there is one, apart from the models."""
    if plan.noise is None:
        return {}
    cells = [_cell(cell, directory) for cell in plan.of_model(plan.noise)]
    return {"noise_floor": {"batch_size": plan.noise.spec.batch_size, "cells": cells}}


def _model(plan: Plan, model: ResolvedModel, directory: RunDirectory) -> dict[str, Any]:
    facts = model_facts(plan.of_model(model), directory)
    return {
        "source": model.spec.source,
        "weights": model.weights,
        "tokenizer": model.tokenizer,
        "chat_template": model.chat_template,
        "backend": model.backend,
        "device": facts.get("device"),
        "scoring": facts.get("scoring"),
    }
