from __future__ import annotations

import inspect
import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

import pytest
import torch

from mplus_eval.backends import engine, load_backend
from mplus_eval.spec.backends import BACKENDS, BackendInfo


def test_the_engine_names_the_versions_that_numbers_depend_on() -> None:
    expected = f"hf lm_eval {version('lm_eval')} transformers {version('transformers')} torch {torch.__version__}"
    # The version of torch as installed may lack the build's suffix.
    assert engine("hf").split("+")[0] == expected.split("+")[0]
    assert engine("openai") == f"openai lm_eval {version('lm_eval')}"


def test_an_absent_engine_is_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "vllm", BackendInfo("vllm", engine_packages=("no-such-package",)))
    assert engine("vllm") == "vllm no-such-package absent"


@pytest.mark.parametrize("name", BACKENDS)
def test_each_backend_has_a_module_that_loads_models(name: str) -> None:
    parameters = inspect.signature(import_module(f"mplus_eval.backends.{name}").load).parameters
    assert list(parameters) == ["model", "source"]


def test_a_backend_is_a_line_in_the_table_and_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("mplus_eval.backends.other")
    monkeypatch.setitem(sys.modules, other.__name__, other)
    monkeypatch.setattr(other, "load", lambda model, source: (model, source), raising=False)
    assert load_backend("other", "a model", "its place") == ("a model", "its place")  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize("request_type", ["loglikelihood", "loglikelihood_rolling", "generate_until"])
def test_lm_eval_takes_requests_and_a_switch_for_its_bar(request_type: str) -> None:
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    for lm_class in (HFLM, LocalCompletionsAPI):
        parameters = list(inspect.signature(getattr(lm_class, request_type)).parameters)
        assert parameters == ["self", "requests", "disable_tqdm"]
