"""Configuration files: YAML that a user wrote or that ships with the package, read with its faults named by line."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from mplus_eval.errors import SpecError
from mplus_eval.store.yaml import _unique_mapping, _UniqueKeyLoader, read_yaml


def load_config(name_or_path: str) -> dict[str, Any]:
    """Read a configuration: a YAML file, or the name of one shipped with the package.

    Raises:
        SpecError: no such file or shipped name, or the file is not a YAML mapping.
    """
    path = Path(name_or_path).expanduser()
    shipped = shipped_configs()
    if path.is_file():
        return read_yaml(path, "config")
    if name_or_path in shipped:
        return read_yaml(shipped[name_or_path], "config")
    raise SpecError([_no_config(name_or_path, shipped)])


def shipped_configs() -> dict[str, Path]:
    """The configurations that come with the package, by name."""
    folder = Path(str(resources.files("mplus_eval") / "configs"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _no_config(name: str, shipped: Mapping[str, Path]) -> str:
    return f"config {name!r}: no such file, and no shipped configuration of that name ({', '.join(shipped)})"


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
