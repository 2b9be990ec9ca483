"""Detoxify's models: released ones by name, or a checkpoint in their format.

    detoxify:original          trained on Jigsaw's Toxic Comment challenge (2018), BERT
    detoxify:unbiased          on Unintended Bias (2019), RoBERTa; less misled by words for groups of people
    detoxify:multilingual      on Multilingual Toxic Comment (2020), XLM-RoBERTa; 7 languages
    detoxify:original-small    detoxify:unbiased-small: the first two, ALBERT
    detoxify:PATH.ckpt         a checkpoint of Detoxify's trainer; its base model's config and tokenizer are read from
                               its own directory where they are there, else from the hub or its cache

Detoxify: Hanu and Unitary team, https://github.com/unitaryai/detoxify. Labels keep Detoxify's names, and
`toxicity` is the first. Other than in its `predict`, checkpoints are unpickled as weights only, texts are cut at 512
tokens whatever the tokenizer says, and texts of like length share a batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mplus_eval.data.hub import offline, reason
from mplus_eval.errors import MplusError, UsageError
from mplus_eval.harmlessness.scorers.base import TOXICITY, toxicity_first
from mplus_eval.harmlessness.scorers.model_scorer import REVISION, ModelScorer, best_device, ways_out
from mplus_eval.models.checkpoints import VOCABULARY_FILES
from mplus_eval.models.hub import cached_directory, fetch, tokenizer_files
from mplus_eval.store.hashes import hash_components, hash_file, tokenizer_hash

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RELEASED = ("original", "unbiased", "multilingual", "original-small", "unbiased-small")
_PREFIX = "detoxify:"
_STANDARD_NAMES = {"toxic": TOXICITY, "identity_hate": "identity_attack", "severe_toxic": "severe_toxicity"}
"""Detoxify's own names for what its first model called otherwise."""
_TIMEOUT_SECONDS = 10.0


class _Saved(TypedDict):
    """What a checkpoint file holds, when it is one."""

    config: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """`arch` and `dataset`, each with its `args`: how the model is built, and its classes."""
    state_dict: Mapping[str, Tensor]


@dataclass(frozen=True)
class _Checkpoint:
    """A checkpoint file that was found to be whole, and the directory of its base model's config and tokenizer."""

    source: str
    path: Path
    base: Path
    arch: Mapping[str, object]
    classes: tuple[str, ...]


def faults(source: str) -> list[str]:
    """Return what stands in the way of scoring with one of Detoxify's models; nothing is downloaded.

    Where its files are not here but can be fetched, only that they can be reached is checked.
    """
    try:
        path = _local_path(source)
        if path is None:
            return _unreachable(source)
        _checked(source, path, may_fetch=False)
    except _NotHereError:
        return _unreachable(source)
    except MplusError as error:
        return [str(error)]
    return []


def load(source: str, device: str | None = None) -> ModelScorer:
    """The scorer of one of Detoxify's models; its weights are read when the first text is scored.

    Raises:
        UsageError: when it cannot be had, or has no label for toxicity.
    """
    import torch

    path = _local_path(source)
    if path is None:
        if offline():
            raise UsageError(_mend(source, "HF_HUB_OFFLINE is set"))
        name = source.removeprefix(_PREFIX)
        path = _kept(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(_url(name), str(path), progress=False)
        except (OSError, RuntimeError) as error:
            raise UsageError(_mend(source, reason(error))) from error
    checkpoint = _checked(source, path, may_fetch=True)
    labels, columns = toxicity_first(checkpoint.classes, checkpoint.classes.index(TOXICITY))
    parts = {
        "kind": "detoxify",
        "revision": REVISION,
        "weights": hash_file(checkpoint.path),
        "config": hash_file(checkpoint.base / "config.json"),
        "tokenizer": tokenizer_hash(checkpoint.base),
        "labels": json.dumps([labels, columns]),
    }
    read = partial(_model, checkpoint)
    return ModelScorer(source, hash_components(parts), labels, columns, False, best_device(device), read)


def is_kept(source: str) -> bool:
    """Whether a released model was downloaded already."""
    return _kept(source.removeprefix(_PREFIX)).is_file()


class _NotHereError(UsageError):
    """Something has to come over the network first."""


def _where(source: str) -> str:
    return f"scorer {source!r}"


def _local_path(source: str) -> Path | None:
    """Where a checkpoint lies; None when it is a released one that was not downloaded yet."""
    name = source.removeprefix(_PREFIX)
    if name in RELEASED:
        return _kept(name) if is_kept(source) else None
    if not name.endswith(".ckpt"):
        raise UsageError(f"{_where(source)}: no such model; accepted: {', '.join(RELEASED)} or PATH.ckpt")
    if not Path(name).is_file():
        raise UsageError(f"{_where(source)}: no file {name}")
    return Path(name)


def _url(name: str) -> str:
    from detoxify.detoxify import MODEL_URLS

    return str(MODEL_URLS[name])


def _kept(name: str) -> Path:
    """Where torch.hub, and so Detoxify itself, keeps a released checkpoint."""
    import torch

    return Path(torch.hub.get_dir(), "checkpoints", _url(name).rpartition("/")[2])


def _unreachable(source: str) -> list[str]:
    """One line that says how to mend it, when what has to be fetched is out of reach."""
    import httpx

    if offline():
        return [_mend(source, "HF_HUB_OFFLINE is set")]
    name = source.removeprefix(_PREFIX)
    urls = [_url(name)] if name in RELEASED else []
    try:
        for url in (*urls, "https://huggingface.co"):
            httpx.head(url, follow_redirects=True, timeout=_TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        return [_mend(source, reason(error))]
    return []


def _mend(source: str, why: str) -> str:
    name = source.removeprefix(_PREFIX)
    what = f"{_kept(name)} or its base model's tokenizer" if name in RELEASED else "its base model's tokenizer"
    return f"{_where(source)}: {what} is not here and cannot be fetched ({why}): {ways_out(source)}"


def _checked(source: str, path: Path, *, may_fetch: bool) -> _Checkpoint:
    """Look into a checkpoint without loading its weights."""
    saved = _read(source, path, mapped=True)
    try:
        arch, classes = dict(saved["config"]["arch"]["args"]), saved["config"]["dataset"]["args"]["classes"]
        labels = tuple(_STANDARD_NAMES.get(str(name), str(name)) for name in classes)
        names, kind, base = set(saved["state_dict"]), str(arch["model_name"]), str(arch["model_type"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{_where(source)}: {path} is no checkpoint of Detoxify") from error
    if not kind.endswith("ForSequenceClassification"):
        raise UsageError(f"{_where(source)}: {path} holds a {kind}, which is not a sequence classifier")
    if TOXICITY not in labels:
        raise UsageError(f"{_where(source)}: none of its labels is toxic or toxicity; they are {', '.join(labels)}")
    checkpoint = _Checkpoint(source, path, _base(source, path, base, may_fetch=may_fetch), arch, labels)
    if missing := sorted(_expected(checkpoint) - names):
        raise UsageError(f"{_where(source)}: has no weights {', '.join(missing[:3])}")
    return checkpoint


def _read(source: str, path: Path, *, mapped: bool) -> _Saved:
    """Unpickle a checkpoint as weights only; mapped, its tensors stay on the disk."""
    from pickle import UnpicklingError
    from zipfile import is_zipfile

    import torch

    # Only the zip format can be mapped; the older one is read whole.
    mapped = mapped and is_zipfile(path)
    try:
        saved: _Saved = torch.load(path, map_location="cpu", mmap=mapped or None, weights_only=True)
        return saved
    except UnpicklingError as error:
        raise UsageError(f"{_where(source)}: {path} cannot be read as weights only, and is refused") from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise UsageError(f"{_where(source)}: {path} cannot be read ({reason(error)})") from error


def _base(source: str, path: Path, base: str, *, may_fetch: bool) -> Path:
    """The directory of a base model's config and tokenizer: the checkpoint's own, one it names, or the hub's cache."""
    for directory in (path.parent, Path(base)):
        if (directory / "config.json").is_file():
            return directory
    cached = cached_directory(base, None, VOCABULARY_FILES)
    if cached is not None and (cached / "config.json").is_file():
        return cached
    if not may_fetch:
        raise _NotHereError(base)
    import httpx

    try:
        return fetch(base, None, tokenizer_files)
    except (MplusError, httpx.HTTPError, OSError, ValueError) as error:
        raise UsageError(_mend(source, f"base {base}: {reason(error)}")) from error


def _expected(checkpoint: _Checkpoint) -> set[str]:
    """Names of the weights that the model has, from a model without storage."""
    import torch
    import transformers

    arch = checkpoint.arch
    try:
        kind = getattr(transformers, str(arch["model_name"]))
        config = kind.config_class.from_pretrained(checkpoint.base, num_labels=arch["num_classes"])
        with torch.device("meta"):
            # Buffers of indices are made anew and may be absent from an older checkpoint.
            return {name for name, _ in kind(config).named_parameters()}
    except (AttributeError, KeyError, OSError, ValueError) as error:
        raise UsageError(
            f"{_where(checkpoint.source)}: its base {checkpoint.base} cannot be read ({reason(error)})"
        ) from error


def _model(checkpoint: _Checkpoint) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from detoxify.detoxify import get_model_and_tokenizer

    weights = _read(checkpoint.source, checkpoint.path, mapped=False)["state_dict"]
    arch = {**checkpoint.arch, "model_type": str(checkpoint.base)}
    model, tokenizer = get_model_and_tokenizer(**arch, state_dict=weights)
    return model, tokenizer
