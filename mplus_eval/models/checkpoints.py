"""What stands in the way of loading a checkpoint directory, found without loading it: a line a fault."""

from __future__ import annotations

import json
from pathlib import Path

from mplus_eval.store.hashes import TOKENIZER_FILES

WEIGHTS = "model.safetensors"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
VOCABULARY_FILES = tuple(
    name for name in TOKENIZER_FILES if name not in ("added_tokens.json", "special_tokens_map.json", "merges.txt")
)
_LFS_POINTER = b"version https://git-lfs"


def checkpoint_faults(path: Path, where: str, *, own_tokenizer: bool, foreign_code: bool = False) -> list[str]:
    """Return what is wrong with a checkpoint directory.

    Args:
        path: an existing directory.
        where: how messages begin.
        own_tokenizer: whether the tokenizer is taken from this directory.
        foreign_code: whether the checkpoint may bring code of its own, so that its architecture need not be known.
    """
    config = path / "config.json"
    if not config.is_file():
        return [f"{where}: {path} has no config.json, so it is not a checkpoint directory"]
    if faults := _object_faults(config, where) or _architecture_faults(config, where, foreign_code):
        return faults
    return [*weight_faults(path, where), *(tokenizer_faults(path, where) if own_tokenizer else ())]


def is_adapter(path: Path) -> bool:
    """Tell whether a directory holds an adapter only, and so needs a base model."""
    return (path / "adapter_config.json").is_file() and not (path / "config.json").is_file()


def adapter_faults(path: Path, where: str) -> list[str]:
    """Return what is wrong with a LoRA adapter directory."""
    config = path / "adapter_config.json"
    if not config.is_file():
        return [f"{where}: {path} has no adapter_config.json, so it is not a LoRA adapter directory"]
    if faults := _object_faults(config, where):
        return faults
    if not adapter_base(path):
        return [f"{where}: {config} names no base_model_name_or_path"]
    weights = path / ADAPTER_WEIGHTS
    return _safetensors_faults(weights, where) if weights.is_file() else [f"{where}: {path} has no {ADAPTER_WEIGHTS}"]


def adapter_base(path: Path) -> str:
    """The base model that an adapter names; empty when it names none."""
    return str(_read_object(path / "adapter_config.json").get("base_model_name_or_path") or "")


def has_tokenizer(path: Path) -> bool:
    """Tell whether a directory holds a tokenizer."""
    return any((path / name).is_file() for name in VOCABULARY_FILES)


def tokenizer_faults(path: Path, where: str) -> list[str]:
    """Return what is wrong with a tokenizer directory."""
    if not has_tokenizer(path):
        return [f"{where}: {path} has no tokenizer (tokenizer.json or tokenizer.model); name one with tokenizer=DIR"]
    return [
        fault
        for name in ("tokenizer.json", "tokenizer_config.json")
        if (path / name).is_file()
        for fault in _object_faults(path / name, where)
    ]


def weight_faults(path: Path, where: str, *, pickled: bool = True) -> list[str]:
    """Return what is wrong with the weights that transformers would take: safetensors first, else pickled tensors.

    Args:
        path: an existing directory.
        where: how messages begin.
        pickled: whether pickled tensors are accepted, which hold no code.
    """
    kinds = [(WEIGHTS, _safetensors_faults), ("pytorch_model.bin", _pickle_faults)]
    for name, faults_of in kinds if pickled else kinds[:1]:
        if not (files := weight_files(path, name)):
            continue
        if missing := [file.name for file in files if not file.is_file()]:
            return [f"{where}: {path} lacks {len(missing)} of {len(files)} weight files, first {missing[0]}"]
        if files[0].name.endswith(".index.json"):
            return [f"{where}: {files[0]} lists no weight files"]
        return [fault for file in files for fault in faults_of(file, where)]
    return [f"{where}: {path} has no weights{'' if pickled else ' as safetensors'} ({WEIGHTS} or its shards)"]


def _architecture_faults(config: Path, where: str, foreign_code: bool) -> list[str]:
    """Refuse what transformers would load with a language head of random weights, or not at all."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    settings = _read_object(config)
    kind, architectures = settings.get("model_type"), settings.get("architectures")
    if "auto_map" in settings and foreign_code:
        return []
    if kind not in CONFIG_MAPPING:
        hint = "; its own code runs with trust_remote_code=true" if "auto_map" in settings else ""
        return [f"{where}: {config} has model_type {kind!r}, which transformers does not know{hint}"]
    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if isinstance(architectures, list) and architectures and causal.isdisjoint(architectures):
        return [f"{where}: {config.parent} holds a {', '.join(architectures)}, which is not a causal language model"]
    return []


def weight_files(path: Path, name: str = WEIGHTS) -> list[Path]:
    """The weight files of a directory: the one of that name, or the shards that its index lists; some may be absent."""
    index = path / f"{name}.index.json"
    if (path / name).is_file():
        return [path / name]
    if not index.is_file():
        return []
    shards = _read_object(index).get("weight_map")
    return sorted({path / str(shard) for shard in shards.values()}) if isinstance(shards, dict) and shards else [index]


def _safetensors_faults(path: Path, where: str) -> list[str]:
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            return [f"{where}: {path} is a Git LFS pointer and not the weights themselves: run git lfs pull"]
    try:
        with safe_open(path, framework="numpy") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        return [f"{where}: {path} is not a whole safetensors file ({error})"]
    return []


def _pickle_faults(path: Path, where: str) -> list[str]:
    """Let torch's restricted unpickler read a file of tensors; anything that would run code is refused."""
    import pickle
    import zipfile

    import torch

    # Only the zip format can be mapped; the older one is read whole.
    mapped = zipfile.is_zipfile(path)
    try:
        torch.load(path, map_location="meta" if mapped else "cpu", mmap=mapped or None, weights_only=True)
    except pickle.UnpicklingError:
        return [f"{where}: {path} holds pickled objects other than tensors, which may run code; save it as safetensors"]
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        return [f"{where}: {path} is not a whole file of tensors ({' '.join(str(error).split())[:100]})"]
    return []


def _object_faults(path: Path, where: str) -> list[str]:
    """Say when a file is not a JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return [f"{where}: {path} is not valid JSON ({error})"]
    return [] if isinstance(value, dict) else [f"{where}: {path} holds no JSON object"]


def _read_object(path: Path) -> dict[str, object]:
    """A JSON object, or an empty one where the file holds no such thing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
