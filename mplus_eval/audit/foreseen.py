"""What may withhold verdicts, told while planning: before a model is asked, and so before it has cost anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence

from mplus_eval.models.resolved import ResolvedModel


def foreseen(models: Sequence[ResolvedModel], baseline: ResolvedModel, allowed: Collection[str]) -> Iterator[str]:
    """Say on which models verdicts may be withheld as they are asked, and the way out; a line a cause.

    Args:
        models: of a run.
        baseline: one of them.
        allowed: differences that withhold no verdict, by name.
    """
    name = baseline.spec.name
    if "dtype" not in allowed and (apart := _apart(models, baseline, planned_dtype)):
        own, other = planned_dtype(apart[0]), planned_dtype(baseline)
        why = f"weights are {own}, those of {name} {other}; give all one dtype=, or accept it with --allow dtype"
        yield f"verdicts on {_named(apart)} may be withheld: {why}"
    if "token-ids" not in allowed and (apart := _apart(models, baseline, lambda model: model.vocabulary)):
        why = f"the vocabulary is another than that of {name}; accept it with --allow token-ids"
        yield f"verdicts on {_named(apart)} may be withheld: {why}"


def planned_dtype(model: ResolvedModel) -> str:
    """The precision that a model will be computed in: its key, or that of its files; empty where nothing says it.

    Quantized weights say nothing of it.
    """
    if model.spec.dtype != "auto":
        return model.spec.dtype
    path = model.location.path
    if path is None or model.location.file is not None or model.spec.quantization:
        return ""
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    return "" if config.get("quantization_config") else str(config.get("dtype") or config.get("torch_dtype") or "")


def _apart(
    models: Sequence[ResolvedModel], baseline: ResolvedModel, told: Callable[[ResolvedModel], str]
) -> list[ResolvedModel]:
    """The models of which something else is told than of the baseline, where both tell."""
    other = told(baseline)
    return [model for model in models if other and told(model) not in ("", other)]


def _named(models: Sequence[ResolvedModel]) -> str:
    return ", ".join(model.spec.name for model in models)
