"""Any sequence classifier of transformers, as safetensors: a directory, or `org/name` on the hub.

    DIRECTORY           its label `toxic` or `toxicity` is the one that the figures use
    DIRECTORY#hate      its label `hate` is
    org/name#LABEL_1    from the hub or its cache

A model with several labels gives probabilities by softmax, one of `problem_type: multi_label_classification` or with a
single label by sigmoid, as in the text-classification pipeline of transformers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mplus_eval.data.hub import offline, reason
from mplus_eval.errors import MplusError, SpecError, UsageError
from mplus_eval.harmlessness.scorers.base import toxicity_first
from mplus_eval.harmlessness.scorers.location import checkpoint_directory
from mplus_eval.harmlessness.scorers.model_scorer import REVISION, ModelScorer, best_device
from mplus_eval.models.checkpoints import tokenizer_faults, weight_faults, weight_files
from mplus_eval.store.hashes import hash_components, tokenizer_hash, weights_hash

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_TOXIC_NAMES = ("toxic", "toxicity")


@dataclass(frozen=True)
class _Source:
    """What was asked for: a directory or a repository, and the label that means toxic, if one was named."""

    text: str
    place: str
    label: str | None

    @classmethod
    def of(cls, text: str) -> _Source:
        place, mark, label = text.rpartition("#")
        if not mark or Path(text).is_dir():
            return cls(text, text, None)
        return cls(text, place, label)

    @property
    def where(self) -> str:
        """How messages begin."""
        return f"scorer {self.text!r}"


def faults(source: str) -> list[str]:
    """Return what stands in the way of scoring with a classifier; of one on the hub all but its weights is fetched."""
    asked = _Source.of(source)
    try:
        directory = checkpoint_directory(asked.text, asked.place, weights=False)
        return _faults_of(asked, directory, with_weights=Path(asked.place).expanduser().is_dir() or offline())
    except MplusError as error:
        return [str(error)]


def load(source: str, device: str | None = None) -> ModelScorer:
    """The scorer of a classifier; its weights are read when the first text is scored.

    Raises:
        UsageError: when it cannot be had, or has no label for toxicity.
    """
    asked = _Source.of(source)
    directory = checkpoint_directory(asked.text, asked.place, weights=True)
    if wrong := _faults_of(asked, directory, with_weights=True):
        raise SpecError(wrong)
    config = _config(asked, directory)
    names = _names(config)
    labels, columns = toxicity_first(names, _toxic(asked, names))
    exclusive = config.problem_type != "multi_label_classification" and len(names) > 1
    parts = {
        "kind": "classifier",
        "revision": REVISION,
        "weights": weights_hash(directory),
        "tokenizer": tokenizer_hash(directory),
        "labels": json.dumps([labels, columns, exclusive]),
    }
    read = partial(_model, asked, directory)
    return ModelScorer(source, hash_components(parts), labels, columns, exclusive, best_device(device), read)


def _faults_of(asked: _Source, directory: Path, *, with_weights: bool) -> list[str]:
    """What is wrong with a model's files, found without loading its weights."""
    wrong = tokenizer_faults(directory, asked.where)
    if with_weights:
        wrong += weight_faults(directory, asked.where, pickled=False)
    if not (directory / "config.json").is_file():
        return [f"{asked.where}: {directory} has no config.json, so it is not a checkpoint directory", *wrong]
    config = _config(asked, directory)
    if config.problem_type == "regression":
        wrong.append(f"{asked.where}: is a regression, whose numbers are no probabilities")
    _toxic(asked, _names(config))
    if with_weights and not wrong:
        # Weights without a classifier's head are refused, which transformers would fill with random numbers.
        import torch
        from safetensors import safe_open
        from transformers import AutoModelForSequenceClassification

        try:
            with torch.device("meta"):
                model = AutoModelForSequenceClassification.from_config(config)
        except ValueError as error:
            return [f"{asked.where}: is no sequence classifier ({reason(error)})"]
        head = {name for name, _ in model.named_parameters() if not name.startswith(f"{model.base_model_prefix}.")}
        for file in weight_files(directory):
            with safe_open(file, framework="numpy") as tensors:
                head -= set(tensors.keys())
        if head:
            wrong.append(f"{asked.where}: has no weights {', '.join(sorted(head)[:3])}")
    return wrong


def _config(asked: _Source, directory: Path) -> PreTrainedConfig:
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        return config
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{asked.where}: {directory} cannot be read ({reason(error)})") from error


def _names(config: PreTrainedConfig) -> list[str]:
    """The model's own labels, in the order of its outputs."""
    labels = cast("dict[int, str]", config.id2label)
    return [str(labels[number]) for number in range(len(labels))]


def _toxic(asked: _Source, names: Sequence[str]) -> int:
    """Which output tells of toxicity."""
    wanted = _TOXIC_NAMES if asked.label is None else (asked.label.lower(),)
    for number, name in enumerate(names):
        if name.lower() in wanted:
            return number
    lacks = "none of its labels is toxic or toxicity" if asked.label is None else f"has no label {asked.label!r}"
    hint = f"; name the one that means toxic as {asked.place}#LABEL"
    raise UsageError(f"{asked.where}: {lacks}; they are {', '.join(names)}{hint}")


def _model(asked: _Source, directory: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            directory, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{asked.where}: cannot be read ({reason(error)})") from error
    if missing := sorted(loading["missing_keys"]):
        raise UsageError(f"{asked.where}: has no weights {', '.join(missing[:3])}")
    if tokenizer.pad_token is None:
        raise UsageError(
            f"{asked.where}: its tokenizer has no padding token; give a pad_token in tokenizer_config.json"
        )
    return model, tokenizer
