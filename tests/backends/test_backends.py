from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
import torch

from mplus_eval.backends import engine


def test_the_engine_names_the_versions_that_numbers_depend_on() -> None:
    expected = f"hf lm_eval {version('lm_eval')} transformers {version('transformers')} torch {torch.__version__}"
    # The version of torch as installed may lack the build's suffix.
    assert engine("hf").split("+")[0] == expected.split("+")[0]
    assert engine("openai") == f"openai lm_eval {version('lm_eval')}"


def test_an_absent_engine_is_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.backends._ENGINE_PACKAGES", {"vllm": ("no-such-package",)})
    assert engine("vllm") == "vllm no-such-package absent"


@pytest.mark.parametrize("request_type", ["loglikelihood", "loglikelihood_rolling", "generate_until"])
def test_lm_eval_takes_requests_and_a_switch_for_its_bar(request_type: str) -> None:
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    for lm_class in (HFLM, LocalCompletionsAPI):
        parameters = list(inspect.signature(getattr(lm_class, request_type)).parameters)
        assert parameters == ["self", "requests", "disable_tqdm"]
