from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.spec.compare import OPTION_KEYS, CompareSpec
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.option import Option
from mplus_eval.spec.suite import Suite

BASE = ModelSpec(name="base", source="./base")


def asked(**fields: Any) -> CompareSpec:
    return CompareSpec.model_validate(
        {"models": (BASE,), "suite": "mini", "baseline": "base", "output": "run", **fields}
    )


def test_every_field_but_the_models_and_the_capability_axis_is_an_option_of_a_command() -> None:
    options = {
        name: [beside for beside in field.metadata if isinstance(beside, Option)]
        for name, field in CompareSpec.model_fields.items()
    }
    assert {name for name, beside in options.items() if not beside} == {"models", "capability"}
    assert all(len(beside) <= 1 for beside in options.values())


def test_the_keys_of_options_are_all_fields_but_the_models() -> None:
    assert set(OPTION_KEYS) == set(CompareSpec.model_fields) - {"models"}


def test_one_training_directory_is_a_list_of_one() -> None:
    assert asked(trajectory="run").trajectory == (Path("run"),)


def test_saved_steps_have_a_limit_of_their_own_where_one_is_given() -> None:
    step = BASE.model_copy(update={"name": "base-step-5", "trajectory": "base"})
    assert [asked(limit=20).limit_of(model) for model in (BASE, step)] == [Limit(20), Limit(20)]
    assert [asked(limit=20, trajectory_limit=5).limit_of(model) for model in (BASE, step)] == [Limit(20), Limit(5)]


def test_a_budget_is_the_runs_or_where_nothing_is_asked_for_the_suites() -> None:
    plain, with_budget = Suite(name="plain", tasks=()), Suite(name="quick", tasks=(), budget=1500)
    assert [asked().budget_of(suite) for suite in (plain, with_budget)] == [None, 1500]
    assert [asked(budget=900).budget_of(suite) for suite in (plain, with_budget)] == [900, 900]
    assert [asked(limit=20).budget_of(suite) for suite in (plain, with_budget)] == [None, None]


@pytest.mark.parametrize(
    ("source", "keys", "backend"),
    [
        ("./a", {}, "vllm"),
        ("./a", {"backend": "hf"}, "hf"),
        ("http://localhost:8000/v1", {}, "openai"),
        ("served", {"base_url": "http://localhost:8000/v1"}, "openai"),
    ],
)
def test_the_backend_is_the_models_then_a_servers_then_the_runs(source: str, keys: Any, backend: str) -> None:
    model = ModelSpec(name="m", source=source, **keys)
    spec = CompareSpec(models=(model,), suite="mini", baseline="m", output=Path("x"), backend="vllm")
    assert spec.backend_of(model) == backend
