"""Backends: how a model is loaded and asked."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from mplus_eval.backends.base import Backend, LoadedModel, Response
from mplus_eval.models.locations import Source
from mplus_eval.spec.model import ModelSpec

__all__ = ["Backend", "LoadedModel", "Response", "engine", "load_backend"]

_ENGINE_PACKAGES = {"hf": ("lm_eval", "transformers", "torch"), "vllm": ("lm_eval", "vllm"), "openai": ("lm_eval",)}


def load_backend(name: str, model: ModelSpec, source: Source) -> Backend:
    """Load one model with the backend of that name."""
    from mplus_eval.backends import hf, openai, vllm

    load: dict[str, Callable[[ModelSpec, Source], Backend]] = {"hf": hf.load, "vllm": vllm.load, "openai": openai.load}
    return load[name](model, source)


def engine(name: str) -> str:
    """The backend with the versions that its numbers may depend on: a component of every fingerprint."""
    return " ".join([name, *(f"{package} {_version(package)}" for package in _ENGINE_PACKAGES[name])])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
