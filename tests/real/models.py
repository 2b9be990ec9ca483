"""The real checkpoints by name, and loading one as a run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mplus_eval.backends.hf import HfModel, load
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec

GEMMA, SMOL = "gemma3-270m", "smollm2-135m-instruct"


def loaded(source: Path, **keys: Any) -> HfModel:
    """The product's backend over a checkpoint or a GGUF file, on the processor."""
    model = ModelSpec(name="m", source=str(source), device="cpu", **keys)
    assert model_faults(model, "hf") == []
    return load(model, resolve_source(model, "hf"))
