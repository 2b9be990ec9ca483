"""Backends: how a model is loaded and asked; `spec.backends` is their table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from mplus_eval.backends.base import Backend, LoadedModel, Response, ServerError
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.model import ModelSpec

__all__ = ["Backend", "LoadedModel", "Response", "ServerError", "engine", "load_backend", "requests_per_call"]


def load_backend(name: str, model: ModelSpec, source: ModelLocation) -> Backend:
    """Load one model with the backend of that name, by the function `load` of the module of that name."""
    load: Callable[[ModelSpec, ModelLocation], Backend] = import_module(f"{__name__}.{name}").load
    return load(model, source)


def requests_per_call(name: str, model: ModelSpec) -> int:
    """How many requests a model will be given at once, before it is loaded (`Backend.requests_per_call`)."""
    module = import_module(f"{__name__}.{name}")
    return int(module.requests_per_call(model)) if name == "hf" else int(module.REQUESTS_PER_CALL)


def engine(name: str) -> str:
    """The backend with the versions that its numbers may depend on: a component of every fingerprint."""
    words = [name]
    for package in BACKENDS[name].engine_packages:
        try:
            words += [package, version(package)]
        except PackageNotFoundError:
            words += [package, "absent"]
    return " ".join(words)
