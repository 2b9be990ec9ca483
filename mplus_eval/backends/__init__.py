"""Backends: how a model is loaded and asked; `spec.backends` is their table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from mplus_eval.backends.base import Backend, LoadedModel, Response, ServerError
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.model import ModelSpec

__all__ = ["Backend", "LoadedModel", "Response", "ServerError", "engine", "load_backend"]


def load_backend(name: str, model: ModelSpec, source: ModelLocation) -> Backend:
    """Load one model with the backend of that name, by the function `load` of the module of that name."""
    load: Callable[[ModelSpec, ModelLocation], Backend] = import_module(f"{__name__}.{name}").load
    return load(model, source)


def engine(name: str) -> str:
    """The backend with the versions that its numbers may depend on: a component of every fingerprint."""
    return " ".join([name, *(f"{package} {_version(package)}" for package in BACKENDS[name].engine_packages)])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
