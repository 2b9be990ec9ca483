"""What stands in the way of loading a model into vLLM by its keys, found before anything is loaded.

    models:
      plus: {source: ./plus, backend: vllm, tensor_parallel_size: 2, engine: {kv_cache_dtype: fp8}}

Arguments of the engine are looked up in vLLM's own `EngineArgs`, so that whatever the installed version knows is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from mplus_eval.spec.faults import nearest
from mplus_eval.spec.model import ModelSpec

_AS_KEYS = {
    "model": "source", "tokenizer": "tokenizer", "revision": "revision", "dtype": "dtype",
    "trust_remote_code": "trust_remote_code", "quantization": "quantization", "generation_config": "generation",
    "max_model_len": "max_model_len", "tensor_parallel_size": "tensor_parallel_size",
    "pipeline_parallel_size": "pipeline_parallel_size", "gpu_memory_utilization": "gpu_memory_utilization",
    "enforce_eager": "enforce_eager", "enable_lora": "adapter", "lora_modules": "adapter",
}  # fmt: skip
"""Arguments of the engine that are keys of a model."""
_REFUSED = {
    "runner": "models are evaluated that generate",
    "logprobs_mode": "scores are log-probabilities as the model gives them",
    "seed": "requests bring their own seeds",
    "max_lora_rank": "it is read from the adapter",
    "data_parallel_size": "one engine holds the model once",
    "skip_tokenizer_init": "stop strings need the tokenizer",
}
"""Arguments that would change what is measured, and why they are not taken."""
_PICKLED_FORMATS = ("pt", "npcache")
_IN_CHECKPOINTS = ("awq", "gptq")
"""Quantizations that vLLM reads and does not make."""


def engine_faults(model: ModelSpec, where: str) -> list[str]:
    """Return what is wrong with the keys of a model that vLLM loads, a line each."""
    faults = []
    if model.max_length and model.max_model_len and model.max_length != model.max_model_len:
        faults.append(
            f"{where}: max_length {model.max_length} and max_model_len {model.max_model_len} are one key; name it once"
        )
    for name, value in (model.engine or {}).items():
        if fault := _argument_fault(name, value, allow_bin=model.allow_bin):
            faults.append(f"{where}: engine: {fault}")
    config = _config_of(Path(model.source))
    return [*faults, *(f"{where}: {fault}" for fault in _misfits(model, config))] if config else faults


def _argument_fault(name: object, value: object, *, allow_bin: bool) -> str:
    """What is wrong with one argument; empty for nothing, also where vLLM is not installed, which is told elsewhere."""
    if name in _AS_KEYS:
        return f"{name} is the model's key {_AS_KEYS[str(name)]}; write it there"
    if name in _REFUSED:
        return f"{name} is not taken: {_REFUSED[str(name)]}"
    if name == "load_format" and value in _PICKLED_FORMATS and not allow_bin:
        return f"load_format {value} reads pickles, which needs allow_bin: true"
    kinds = _kinds_of_arguments()
    if kinds is None:
        return ""
    if name not in kinds:
        known = sorted(set(kinds) - {*_AS_KEYS, *_REFUSED})
        close = nearest(str(name), known)
        return f"{name!r} is no argument of vLLM's engine" + (f"; {close}" if close.startswith("did") else "")
    try:
        TypeAdapter(kinds[str(name)]).validate_python(value)
    except ValidationError as error:
        accepted = " or ".join(dict.fromkeys(_lower_first(each["msg"]) for each in error.errors()))
        return f"{name} {value!r}: {accepted}"
    except PydanticUserError:
        # A class of vLLM's own, which pydantic does not know; vLLM looks at it itself.
        return ""
    return ""


def _kinds_of_arguments() -> Mapping[str, Any] | None:
    """The types of the arguments of vLLM's engine, by name; None where it is not installed."""
    if find_spec("vllm") is None:
        return None
    from vllm.engine import arg_utils

    return {field.name: _kind(field.type, vars(arg_utils)) for field in fields(arg_utils.EngineArgs)}


def _kind(annotation: Any, names: dict[str, Any]) -> Any:
    """A field's type; anything, where only a type checker knows it."""
    try:
        return get_type_hints(type("Field", (), {"__annotations__": {"value": annotation}}), names)["value"]
    except NameError:
        return Any


def _config_of(folder: Path) -> dict[str, Any]:
    """A checkpoint's configuration, of its text part; empty where none lies here or it is no JSON, told elsewhere."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(config, dict):
        return {}
    text = config.get("text_config")
    return {**config, **text} if isinstance(text, dict) else config


def _misfits(model: ModelSpec, config: Mapping[str, Any]) -> list[str]:
    """Keys that do not fit the model that lies there."""
    faults = []
    heads, layers = config.get("num_attention_heads"), config.get("num_hidden_layers")
    if (parts := model.tensor_parallel_size) and isinstance(heads, int) and heads % parts:
        faults.append(f"tensor_parallel_size {parts}: its {heads} attention heads cannot be shared equally")
    if (parts := model.pipeline_parallel_size) and isinstance(layers, int) and layers < parts:
        faults.append(f"pipeline_parallel_size {parts}: it has {layers} layers")
    most = config.get("max_position_embeddings")
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    is_scaled = isinstance(rope, dict) and rope.get("rope_type", rope.get("type", "default")) != "default"
    if model.longest and isinstance(most, int) and model.longest > most and not is_scaled:
        faults.append(f"max_model_len {model.longest}: its sequences have {most} tokens at most")
    own = config.get("quantization_config")
    method = str(own.get("quant_method")) if isinstance(own, dict) else None
    if model.quantization in _IN_CHECKPOINTS and (method is None or not method.startswith(str(model.quantization))):
        faults.append(
            f"quantization {model.quantization}: vLLM reads it from a checkpoint and does not make it, and this one is "
            f"{'not quantized' if method is None else f'quantized by {method}'}"
        )
    return faults


def _lower_first(words: str) -> str:
    return words[0].lower() + words[1:]
