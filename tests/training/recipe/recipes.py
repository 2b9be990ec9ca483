"""A small recipe, changed in one thing and written to a file, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import load_recipe

SMALL: dict[str, Any] = {
    "base": "demo:base",
    "pairs": [{"source": "demo:pairs"}],
    "reward": {"learning_rate": 1e-5},
    "rlhf": {"plus": {"learning_rate": 1e-6, "steps": 20}},
}


def written(tmp_path: Path, document: Any) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return str(path)


def faults(tmp_path: Path, document: Any, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        load_recipe(written(tmp_path, document), overrides)
    return caught.value.faults


def with_plus(**changes: Any) -> dict[str, Any]:
    return {**SMALL, "rlhf": {"plus": {**SMALL["rlhf"]["plus"], **changes}}}
