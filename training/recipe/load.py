"""A recipe read from YAML, with fields replaced by the command line, and checked whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mplus_eval.errors import SpecError
from mplus_eval.spec.faults import faults_of
from mplus_eval.store.yaml import read_yaml
from mplus_eval.training.recipe.recipe import Recipe


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, replace fields, and check all of it.

    Args:
        name_or_path: a YAML file, or the name of a shipped recipe.
        overrides: texts `dotted.key=value`; the value is read as YAML.

    Raises:
        SpecError: with every fault that was found.
    """
    path, shipped = Path(name_or_path).expanduser(), shipped_recipes()
    if not path.is_file() and name_or_path not in shipped:
        raise SpecError([f"recipe {name_or_path!r}: no such file, and no shipped recipe ({', '.join(shipped)})"])
    document = read_yaml(path if path.is_file() else shipped[name_or_path], "recipe")
    faults = [fault for text in overrides if (fault := _override(document, text))]
    if "output" not in document:
        document["output"] = f"runs/train-{Path(name_or_path).stem}"
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        lines = [fault.dotted_line(f"recipe {name_or_path}") for fault in faults_of(error, Recipe)]
        raise SpecError([*faults, *dict.fromkeys(lines)]) from None
    if faults:
        raise SpecError(faults)
    return recipe


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(resources.files("mplus_eval") / "training" / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _override(document: dict[str, Any], text: str) -> str | None:
    """Put a value in its place; return what is wrong with the text."""
    key, separator, value = text.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", key):
        return f"{text!r}: write dotted.key=value, for example rlhf.plus.learning_rate=1e-6"
    *parents, last = key.split(".")
    place: Any = document
    for parent in parents:
        index = int(parent) if isinstance(place, list) and parent.isdigit() else parent
        try:
            place = place.setdefault(index, {}) if isinstance(place, dict) else place[index]
        except (IndexError, TypeError):
            return f"{text!r}: there is no {parent!r} in the recipe"
    if not isinstance(place, dict):
        return f"{text!r}: {'.'.join(parents)} has no keys"
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        return f"{text!r}: the value is not YAML ({' '.join(str(error).split())})"
    return None
