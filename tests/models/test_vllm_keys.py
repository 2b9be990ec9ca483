from __future__ import annotations

import json
import sys
from dataclasses import make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from mplus_eval.models import vllm_keys
from mplus_eval.models.vllm_keys import engine_faults
from mplus_eval.spec.model import ModelSpec


@pytest.fixture(autouse=True)
def arguments_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As vLLM names some of them."""

    class Own:
        pass

    module: Any = ModuleType("vllm.engine.arg_utils")
    module.Literal, module.Own = Literal, Own
    module.EngineArgs = make_dataclass(
        "EngineArgs",
        [
            ("model", "str", ""), ("seed", "int", 0), ("block_size", "int | None", None), ("max_num_seqs", "int", 8),
            ("kv_cache_dtype", "Literal['auto', 'fp8']", "auto"), ("load_format", "str", "auto"),
            ("attention_config", "Own", None), ("quantization_config", "OnlyOfATypeChecker", None),
        ],
    )  # fmt: skip
    for name in ("vllm", "vllm.engine"):
        parent: Any = ModuleType(name)
        parent.arg_utils = module
        monkeypatch.setitem(sys.modules, name, parent)
    monkeypatch.setitem(sys.modules, "vllm.engine.arg_utils", module)
    monkeypatch.setattr(vllm_keys, "find_spec", lambda name: name)


def faults(source: Path | str = "nowhere", **keys: Any) -> list[str]:
    found = engine_faults(ModelSpec(name="m", source=str(source), **keys), "model 'm'")
    assert all(line.startswith("model 'm': ") and "\n" not in line for line in found)
    return [line.removeprefix("model 'm': ") for line in found]


def checkpoint(folder: Path, **config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ({"block_sise": 32}, "engine: 'block_sise' is no argument of vLLM's engine; did you mean block_size?"),
        ({"zzz": 1}, "engine: 'zzz' is no argument of vLLM's engine"),
        ({3: 1}, "engine: '3' is no argument of vLLM's engine"),
        ({"kv_cache_dtype": "fp9"}, "engine: kv_cache_dtype 'fp9': input should be 'auto' or 'fp8'"),
        ({"max_num_seqs": "many"}, "engine: max_num_seqs 'many': input should be a valid integer"),
        ({"model": "x"}, "engine: model is the model's key source; write it there"),
        ({"dtype": "half"}, "engine: dtype is the model's key dtype; write it there"),
        ({"seed": 3}, "engine: seed is not taken: requests bring their own seeds"),
        ({"logprobs_mode": "raw_logits"}, "engine: logprobs_mode is not taken: scores are log-probabilities"),
        ({"load_format": "pt"}, "engine: load_format pt reads pickles, which needs allow_bin: true"),
    ],
)
def test_an_argument_that_cannot_be_meant(argument: dict[Any, Any], line: str) -> None:
    (found,) = faults(engine={str(name): value for name, value in argument.items()})
    assert found.startswith(line)


def test_arguments_that_can_be() -> None:
    own = {"block_size": 16, "kv_cache_dtype": "fp8", "attention_config": {"a": 1}, "quantization_config": {"b": 2}}
    assert faults(engine=own) == []
    assert faults(engine={"load_format": "pt"}, allow_bin=True) == []


def test_without_vllm_names_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is missing is told elsewhere."""
    monkeypatch.setattr(vllm_keys, "find_spec", lambda name: None)
    assert faults(engine={"anything": 1}) == []


def test_the_length_has_two_names_and_one_value() -> None:
    assert faults(max_length=64, max_model_len=64) == []
    (line,) = faults(max_length=64, max_model_len=65)
    assert line == "max_length 64 and max_model_len 65 are one key; name it once"


@pytest.mark.parametrize(
    ("config", "keys", "line"),
    [
        (
            {"num_attention_heads": 6},
            {"tensor_parallel_size": 4},
            "tensor_parallel_size 4: its 6 attention heads cannot be shared equally",
        ),
        (
            {"text_config": {"num_attention_heads": 6}},
            {"tensor_parallel_size": 4},
            "tensor_parallel_size 4: its 6 attention heads cannot be shared equally",
        ),
        ({"num_hidden_layers": 2}, {"pipeline_parallel_size": 3}, "pipeline_parallel_size 3: it has 2 layers"),
        (
            {"max_position_embeddings": 512},
            {"max_length": 513},
            "max_model_len 513: its sequences have 512 tokens at most",
        ),
        (
            {},
            {"quantization": "awq"},
            "quantization awq: vLLM reads it from a checkpoint and does not make it, and this one is not quantized",
        ),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            {"quantization": "awq"},
            "quantization awq: vLLM reads it from a checkpoint and does not make it, and this one is quantized by gptq",
        ),
    ],
)
def test_keys_that_do_not_fit_the_checkpoint(
    tmp_path: Path, config: dict[str, Any], keys: dict[str, Any], line: str
) -> None:
    assert faults(checkpoint(tmp_path, model_type="llama", **config), **keys) == [line]


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({"num_attention_heads": 6, "num_hidden_layers": 2}, {"tensor_parallel_size": 3, "pipeline_parallel_size": 2}),
        ({"max_position_embeddings": 512}, {"max_length": 512}),
        ({"max_position_embeddings": 512, "rope_scaling": {"rope_type": "yarn"}}, {"max_length": 4096}),
        ({"quantization_config": {"quant_method": "gptq"}}, {"quantization": "gptq"}),
        ({}, {"quantization": "fp8"}),
    ],
)
def test_keys_that_fit(tmp_path: Path, config: dict[str, Any], keys: dict[str, Any]) -> None:
    assert faults(checkpoint(tmp_path, model_type="llama", **config), **keys) == []
