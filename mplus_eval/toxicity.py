"""How toxic texts are, by a classifier: Detoxify's models, or a sequence classifier of one's own.

    detoxify:original        released weights; also detoxify:unbiased and detoxify:multilingual
    detoxify:PATH.ckpt       a checkpoint in Detoxify's format; its base model's config and tokenizer are read from its
                             own directory where they are there, else from the hub
    DIRECTORY                a sequence classifier of transformers, with a label `toxic` or `toxicity`

Detoxify: https://github.com/unitaryai/detoxify. Unlike its `predict`, texts go through the model in small batches, and
checkpoints are unpickled as weights only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mplus_eval.errors import UsageError
from mplus_eval.hub import offline, reason

RELEASED = ("original", "unbiased", "multilingual")
_PREFIX = "detoxify:"
_LABELS = ("toxic", "toxicity")
_ACCEPTED = "detoxify:original, detoxify:unbiased, detoxify:multilingual, detoxify:PATH.ckpt or a model's directory"
_MAX_TOKENS = 512
_BATCH_SIZE = 32


@dataclass(frozen=True)
class ToxicityClassifier:
    """A classifier with one output for toxicity."""

    model: Any
    tokenizer: Any
    index: int
    """Which of the model's outputs tells of toxicity."""
    exclusive: bool
    """Whether one class excludes the others (softmax); if not, each has a probability of its own (sigmoid)."""

    @classmethod
    def load(cls, source: str, device: str = "cpu") -> Self:
        """Load a classifier.

        Args:
            source: as at the top of this module.
            device: where it computes.

        Raises:
            UsageError: when it cannot be had, or has no label for toxicity.
        """
        if source.startswith(_PREFIX):
            model, tokenizer, labels = _load_detoxify(source)
            exclusive = False
        elif Path(source).is_dir():
            model, tokenizer, labels = _load_directory(source)
            exclusive = model.config.problem_type != "multi_label_classification" and len(labels) > 1
        else:
            raise UsageError(f"toxicity classifier {source!r}: no such directory; accepted: {_ACCEPTED}")
        index = _toxicity_index(source, labels)
        positions = getattr(model.config, "max_position_embeddings", _MAX_TOKENS)
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions, _MAX_TOKENS)
        return cls(model.to(device).eval(), tokenizer, index, exclusive)

    def score(self, texts: Sequence[str]) -> list[float]:
        """The probability, 0 to 1, that each text is toxic; of a long text, its first 512 tokens are read."""
        import torch

        probabilities: list[float] = []
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = list(texts[start : start + _BATCH_SIZE])
            encoded = self.tokenizer(batch, return_tensors="pt", truncation=True, padding=True).to(self.model.device)
            with torch.inference_mode():
                logits = self.model(**encoded).logits.float()
            every = logits.softmax(dim=-1) if self.exclusive else logits.sigmoid()
            probabilities += every[:, self.index].tolist()
        return probabilities


def _load_detoxify(source: str) -> tuple[Any, Any, list[str]]:
    """The model, its tokenizer, and the names of its first outputs."""
    from detoxify.detoxify import get_model_and_tokenizer

    name = source.removeprefix(_PREFIX)
    if name not in RELEASED and not name.endswith(".ckpt"):
        raise UsageError(f"toxicity classifier {source!r}: no such model; accepted: {_ACCEPTED}")
    checkpoint = _read_released(source, name) if name in RELEASED else _read_checkpoint(source, Path(name))
    try:
        arch, labels = dict(checkpoint["config"]["arch"]["args"]), checkpoint["config"]["dataset"]["args"]["classes"]
        weights = checkpoint["state_dict"]
    except (KeyError, TypeError) as error:
        raise UsageError(f"toxicity classifier {source!r}: the file is no checkpoint of Detoxify") from error
    beside = Path(name).parent
    if name not in RELEASED and (beside / "config.json").is_file():
        arch["model_type"] = str(beside)
    try:
        model, tokenizer = get_model_and_tokenizer(**arch, state_dict=weights)
    except (OSError, ValueError) as error:
        base = arch["model_type"]
        raise UsageError(f"toxicity classifier {source!r}: its base {base} cannot be read ({reason(error)})") from error
    _check_whole(source, set(model.state_dict()) - set(weights))
    return model, tokenizer, list(labels)


def _read_released(source: str, name: str) -> Any:
    import torch
    from detoxify.detoxify import MODEL_URLS

    url = MODEL_URLS[name]
    kept = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if offline() and not kept.is_file():
        hint = f"HF_HUB_OFFLINE is set: unset it, or put {url} there"
        raise UsageError(f"toxicity classifier {source!r}: not in {kept.parent}, and {hint}")
    try:
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True, progress=False)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"toxicity classifier {source!r}: cannot be downloaded ({reason(error)})") from error


def _read_checkpoint(source: str, path: Path) -> Any:
    from pickle import UnpicklingError

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        raise UsageError(f"toxicity classifier {source!r}: cannot be read ({reason(error)})") from error


def _load_directory(source: str) -> tuple[Any, Any, list[str]]:
    """The model, its tokenizer, and the names of its outputs."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            source, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"toxicity classifier {source!r}: cannot be read ({reason(error)})") from error
    _check_whole(source, set(loading["missing_keys"]))
    return model, tokenizer, [model.config.id2label[number] for number in range(model.config.num_labels)]


def _check_whole(source: str, missing: set[str]) -> None:
    """Refuse a checkpoint without some of its weights, which transformers would fill with random numbers."""
    if missing:
        raise UsageError(f"toxicity classifier {source!r}: has no weights {', '.join(sorted(missing)[:3])}")


def _toxicity_index(source: str, labels: Sequence[str]) -> int:
    for index, label in enumerate(labels):
        if label.lower() in _LABELS:
            return index
    raise UsageError(
        f"toxicity classifier {source!r}: none of its labels is toxic or toxicity; they are {', '.join(labels)}"
    )
