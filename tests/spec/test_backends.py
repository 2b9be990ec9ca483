from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from mplus_eval.spec.backends import BACKENDS, DEFAULT_BACKEND, URL_BACKEND, BackendInfo, either
from mplus_eval.spec.model import ModelSpec


def test_names_and_defaults_are_those_of_the_command_line() -> None:
    assert either(BACKENDS) == "hf, vllm or openai"
    assert (DEFAULT_BACKEND, URL_BACKEND) == ("hf", "openai")


def test_what_is_missing_is_said_with_how_to_install_it() -> None:
    absent = BackendInfo("other", engine_packages=(), extra="no_such_package")
    expected = "the backend other needs the package no_such_package: pip install 'mplus-eval[no_such_package]'"
    assert absent.missing == expected
    assert (BACKENDS["vllm"].missing is None) == (importlib.util.find_spec("vllm") is not None)


def test_a_backend_without_an_extra_is_never_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.spec.backends.find_spec", lambda name: None)
    assert [name for name, backend in BACKENDS.items() if backend.missing] == ["vllm"]


def test_what_is_refused_are_keys_of_a_model() -> None:
    refused = {refusal.key for backend in BACKENDS.values() for refusal in backend.refusals}
    assert refused <= set(ModelSpec.model_fields)


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({}, False),
        ({"add_bos": "auto"}, False),
        ({"add_bos": True}, True),
        ({"add_bos": False}, True),
        ({"add_bos": False, "tokenizer": "./m"}, False),
    ],
)
def test_a_key_is_refused_where_nothing_can_honour_it(keys: dict[str, Any], refused: bool) -> None:
    (refusal,) = (each for each in BACKENDS["openai"].refusals if each.key == "add_bos")
    assert refusal.meets(ModelSpec(name="m", source="http://host:1/v1", **keys)) is refused


def test_a_single_value_may_be_refused() -> None:
    (refusal,) = (each for each in BACKENDS["vllm"].refusals if each.key == "quantization")
    assert [refusal.meets(ModelSpec(name="m", source="./m", quantization=bits)) for bits in ("4bit", "8bit")] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("names", "choice"),
    [(["one"], "one"), (["one", "two"], "one or two"), (["one", "two", "three"], "one, two or three")],
)
def test_names_as_a_choice(names: list[str], choice: str) -> None:
    assert either(names) == choice
