"""A scorer that is a sequence classifier of transformers, whose weights are loaded when the first text is scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mplus_eval.data.hub import reason
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.base import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REVISION = "1"
"""Part of the fingerprint; grows when the same weights would give other scores."""
MAX_TOKENS = 512
"""Of a longer text the first so many are read, as Detoxify's models were trained."""
_BATCH_TOKENS = {"cpu": 1024, "other": 32_768}
"""A processor is no faster with more, and its caches are better used with less."""


@dataclass(frozen=True)
class ModelScorer:
    """Scores texts by a classifier."""

    name: str
    fingerprint: str
    labels: tuple[str, ...]
    columns: tuple[int, ...]
    """Which of the model's outputs each label is."""
    exclusive: bool
    """Whether one class excludes the others (softmax); if not, each has a probability of its own (sigmoid)."""
    device: str
    read: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]]
    """Reads the model and its tokenizer; raises `UsageError` when they cannot be had."""

    @property
    def batch_tokens(self) -> int:
        """Tokens of one batch, padding included."""
        return _BATCH_TOKENS["cpu" if self.device == "cpu" else "other"]

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores [n, labels] in one batch; `score_texts` is for many texts.

        Raises:
            UsageError: when the weights cannot be had.
        """
        return self.score_encoded(self.encode(texts))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Cut texts into tokens, at most 512 of each; without texts, only make sure that the model is loaded."""
        tokenizer = self._loaded[1]
        encoded = tokenizer(list(texts), truncation=True) if texts else {}
        return [{name: encoded[name][number] for name in encoded} for number in range(len(texts))]

    def score_encoded(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Scores [n, labels] of encoded texts, in one batch."""
        import torch

        if not rows:
            return np.empty((0, len(self.labels)))
        model, tokenizer = self._loaded
        batch = tokenizer.pad(list(rows), return_tensors="pt").to(model.device)
        with torch.inference_mode():
            logits = model(**batch).logits.float()
            every = logits.softmax(dim=-1) if self.exclusive else logits.sigmoid()
        return np.asarray(every[:, list(self.columns)].cpu().numpy(), dtype=np.float64)

    @cached_property
    def _loaded(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The model, on its device, and its tokenizer, told how much the model reads."""
        model, tokenizer = self.read()
        positions = getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS
        if "roberta" in model.config.model_type or "camembert" in model.config.model_type:
            # Its positions begin after that of its padding.
            embeddings = getattr(getattr(model, model.base_model_prefix, None), "embeddings", None)
            padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
            positions -= 0 if padding is None else padding + 1
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions, MAX_TOKENS)
        # Padding after encoding is what sorting by length needs; the library would advise against it at every call.
        tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        try:
            # mypy takes the method, which transformers wraps, for a function of a model and a device.
            return model.to(self.device).eval(), tokenizer  # type: ignore[arg-type]
        except (AssertionError, RuntimeError) as error:
            raise UsageError(
                f"scorer {self.name!r}: cannot be put on device {self.device} ({reason(error)})"
            ) from error


def best_device(device: str | None) -> str:
    """The device asked for, else CUDA where it is there, else the processor."""
    if device is not None:
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def ways_out(source: str) -> str:
    """What mends a scorer that is not here and cannot be fetched."""
    fetching = f"env -u HF_HUB_OFFLINE -u TRANSFORMERS_OFFLINE python -m mplus_eval.harmlessness.scorers '{source}'"
    return (
        f"run `{fetching}` where there is a network, or score with one that needs none: the embedded word list, "
        "`--scorer words`, or what `mplus-eval toxicity fit-scorer` makes of labelled texts"
    )
