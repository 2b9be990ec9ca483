"""What stands in the way of loading a checkpoint directory, found without loading it: a line a fault."""

from __future__ import annotations

import json
from pathlib import Path

from mplus_eval.models.auto_class import is_language_model
from mplus_eval.records.training import damage_of
from mplus_eval.store.hashes import TOKENIZER_FILES

WEIGHTS = "model.safetensors"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLED_WEIGHTS = "pytorch_model.bin"
PICKLED_ADAPTER = "adapter_model.bin"
TEKKEN = "tekken.json"
VOCABULARY_FILES = tuple(
    name
    for name in TOKENIZER_FILES
    if name not in ("added_tokens.json", "special_tokens_map.json", "merges.txt", "tekken.json")
)
_LFS_POINTER = b"version https://git-lfs"


def checkpoint_faults(
    path: Path, where: str, *, own_tokenizer: bool, foreign_code: bool = False, pickled: bool = False
) -> list[str]:
    """Return what is wrong with a checkpoint directory.

    Args:
        path: an existing directory.
        where: how messages begin.
        own_tokenizer: whether the tokenizer is taken from this directory.
        foreign_code: whether the checkpoint may bring code of its own, so that its architecture need not be known.
        pickled: whether weights in .bin files are read (`allow_bin`).
    """
    config = path / "config.json"
    if not config.is_file():
        return [f"{where}: {path} has no config.json, so it is not a checkpoint directory"]
    if faults := _object_faults(config, where) or _architecture_faults(config, where, foreign_code):
        return faults
    if damage := damage_of(path):
        return [f"{where}: {path} is not as its training left it: {damage}"]
    unread = [] if pickled or weight_files(path) else weight_files(path, PICKLED_WEIGHTS)
    faults = [unread_fault(str(unread[0]), where)] if unread else weight_faults(path, where)
    return [*faults, *(tokenizer_faults(path, where) if own_tokenizer else ())]


def is_adapter(path: Path) -> bool:
    """Tell whether a directory holds an adapter only, and so needs a base model."""
    return (path / "adapter_config.json").is_file() and not (path / "config.json").is_file()


def adapter_faults(path: Path, where: str, *, pickled: bool = False) -> list[str]:
    """Return what is wrong with a LoRA adapter directory; `pickled` is as in `checkpoint_faults`."""
    config = path / "adapter_config.json"
    if not config.is_file():
        return [f"{where}: {path} has no adapter_config.json, so it is not a LoRA adapter directory"]
    if faults := _object_faults(config, where):
        return faults
    if damage := damage_of(path):
        return [f"{where}: {path} is not as its training left it: {damage}"]
    if not adapter_base(path):
        return [f"{where}: {config} names no base_model_name_or_path"]
    if (weights := path / ADAPTER_WEIGHTS).is_file():
        return _safetensors_faults(weights, where)
    if (weights := path / PICKLED_ADAPTER).is_file():
        return _pickle_faults(weights, where) if pickled else [unread_fault(str(weights), where)]
    return [f"{where}: {path} has no {ADAPTER_WEIGHTS}"]


def adapter_base(path: Path) -> str:
    """The base model that an adapter names; empty when it names none."""
    return str(_read_object(path / "adapter_config.json").get("base_model_name_or_path") or "")


def has_tokenizer(path: Path) -> bool:
    """Tell whether a directory holds a tokenizer."""
    return any((path / name).is_file() for name in (*VOCABULARY_FILES, TEKKEN))


def tokenizer_faults(path: Path, where: str) -> list[str]:
    """Return what is wrong with a tokenizer directory."""
    if not any((path / name).is_file() for name in VOCABULARY_FILES) and (path / TEKKEN).is_file():
        return tekken_faults(where)
    if not has_tokenizer(path):
        return [f"{where}: {path} has no tokenizer (tokenizer.json or tokenizer.model); name one with tokenizer=DIR"]
    return [
        fault
        for name in ("tokenizer.json", "tokenizer_config.json")
        if (path / name).is_file()
        for fault in _object_faults(path / name, where)
    ]


def tekken_faults(where: str) -> list[str]:
    """Say when the package that reads Mistral's own file of a tokenizer is missing."""
    from transformers.utils.import_utils import is_mistral_common_available

    if is_mistral_common_available():
        return []
    return [
        f"{where}: its tokenizer is a {TEKKEN}, which the package mistral-common reads: "
        "pip install 'mistral-common[image]', or name a tokenizer.json with tokenizer=DIR"
    ]


def unread_fault(file: str, where: str) -> str:
    """Why weights in a .bin file are not read unasked, and how they are."""
    return (
        f"{where}: {file} is a pickle, which may run code: allow_bin=true reads it by torch's weights_only, "
        "which runs none; or save it as safetensors"
    )


def weight_faults(path: Path, where: str, *, pickled: bool = True) -> list[str]:
    """Return what is wrong with the weights that transformers would take: safetensors first, else pickled tensors.

    Args:
        path: an existing directory.
        where: how messages begin.
        pickled: whether pickled tensors are accepted, which hold no code.
    """
    kinds = [(WEIGHTS, _safetensors_faults), (PICKLED_WEIGHTS, _pickle_faults)]
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

    settings = _read_object(config)
    kind, architectures = settings.get("model_type"), settings.get("architectures")
    if "auto_map" in settings and foreign_code:
        return []
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        hint = "; its own code runs with trust_remote_code=true" if "auto_map" in settings else ""
        return [f"{where}: {config} has model_type {kind!r}, which transformers does not know{hint}"]
    named = [architectures] if isinstance(architectures, str) else architectures or []
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        told = repr(architectures)[:60]
        return [f"{where}: {config}: architectures {told}: a list of names of classes is expected"]
    if not is_language_model(kind, named):
        return [f"{where}: {config.parent} holds a {', '.join(named)}, which is not a causal language model"]
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
    except OSError as error:
        return [f"{where}: {path} cannot be read ({error.strerror})"]
    except RecursionError:
        return [f"{where}: {path} is nested too deeply"]
    except ValueError as error:
        return [f"{where}: {path} is not valid JSON ({error})"]
    return [] if isinstance(value, dict) else [f"{where}: {path} holds no JSON object"]


def _read_object(path: Path) -> dict[str, object]:
    """A JSON object, or an empty one where the file holds no such thing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
