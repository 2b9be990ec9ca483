"""Configuration files: YAML that a user wrote or that ships with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mplus_eval.errors import SpecError
from mplus_eval.store.yaml import read_yaml


def load_config(name_or_path: str) -> dict[str, object]:
    """Read a configuration: a YAML file, or the name of one shipped with the package.

    Raises:
        SpecError: no such file or shipped name, or the file is not a YAML mapping.
    """
    path = Path(name_or_path).expanduser()
    folder = Path(str(resources.files("mplus_eval") / "configs"))
    shipped = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not path.is_file() and name_or_path not in shipped:
        raise SpecError(
            [f"config {name_or_path!r}: no such file, and no shipped configuration of that name ({', '.join(shipped)})"]
        )
    return read_yaml(path if path.is_file() else shipped[name_or_path], "config")
