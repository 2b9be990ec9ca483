"""Each name of lm-eval that is not public is as this package needs it; where one changes, its test says so by name."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from tests.demo.mini_tasks import load_leaf

PARAMETERS = {
    "lm_eval.models.api_models:TemplateAPI._loglikelihood_tokens": ["self", "requests"],
    "lm_eval.tasks._yaml_loader:load_yaml": ["path", "resolve_func"],
    "lm_eval.tasks._index:Entry": ["name", "kind", "yaml_path", "cfg", "tags"],
    "lm_eval.tasks._index:TaskIndex.build": ["paths"],
    "lm_eval.tasks._index:TaskIndex.process_cfg": ["cfg", "path", "index_"],
    "lm_eval.tasks._index:TaskIndex.entry_from_path": ["path"],
    "lm_eval.tasks._factory:TaskFactory.build": ["self", "entry", "overrides", "registry"],
    "lm_eval.tasks._factory:TaskFactory._build_task": ["self", "entry", "overrides"],
    "lm_eval.tasks._factory:TaskFactory._build_group": ["self", "group_name", "raw_cfg", "overrides", "registry"],
    "lm_eval.tasks._factory:TaskFactory._load_full_config": ["self", "entry", "overrides"],
}


def resolved(place: str) -> Any:
    module, _, name = place.partition(":")
    value = import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("place", PARAMETERS)
def test_a_private_name_takes_what_it_is_given(place: str) -> None:
    parameters = list(inspect.signature(resolved(place)).parameters)
    assert parameters[: len(PARAMETERS[place])] == PARAMETERS[place]


@pytest.mark.parametrize("kind", ["TASK", "PY_TASK", "GROUP", "TAG"])
def test_a_kind_of_definition_is_known(kind: str) -> None:
    assert kind in resolved("lm_eval.tasks._index:Kind").__members__


@pytest.mark.parametrize("name", ["_create_model", "_loglikelihood_tokens"])
def test_a_method_that_is_replaced_is_there_to_be_replaced(name: str) -> None:
    from mplus_eval.backends.lm_eval_private import REPLACED

    parameters = inspect.signature(resolved(f"lm_eval.models.huggingface:HFLM.{name}")).parameters
    assert set(REPLACED[name]) <= set(parameters)


def test_a_task_has_filters_by_name_and_takes_requests() -> None:
    from lm_eval.api.instance import Instance

    from mplus_eval.backends.lm_eval_private import filter_names, set_requests

    task = load_leaf("mini_gsm8k")
    request = Instance("generate_until", {}, ("", {}), 0, ("task", 0, 1))
    request.resps = ["So the answer is 7."]
    set_requests(task, [request])
    task.apply_filters()
    assert list(request.filtered_resps) == filter_names(task)
    assert len(filter_names(task)) > 0


def test_no_other_module_takes_a_private_name() -> None:
    private = re.compile(r"(from|import) lm_eval\S*\._|from lm_eval\S* import .*\b_|\.(_instances|_filters)\b")
    assert mplus_eval.__file__ is not None
    root = Path(mplus_eval.__file__).parent
    folders = [root, *(path.resolve() for path in root.iterdir() if path.is_symlink())]
    users = {path.name for folder in folders for path in folder.rglob("*.py") if private.search(path.read_text())}
    assert users == {"lm_eval_private.py"}
