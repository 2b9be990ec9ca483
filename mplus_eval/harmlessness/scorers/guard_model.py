"""A guard in this process: a causal language model, whose probabilities are read where it would answer.

What is put to it is computed once, and each of its readings, a few tokens, after that. Tokens of the end of the prompt
that depend on what follows it are computed with the readings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mplus_eval.data.hub import reason
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.base import Encoded
from mplus_eval.harmlessness.scorers.guard_template import GuardTemplate

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REVISION = "1"
"""Part of the fingerprint; grows when the same weights would give other scores."""
_BATCH_TOKENS = {"cpu": 1024, "other": 16_384}


@dataclass(frozen=True)
class _Reading:
    """Tokens between the shared ones and the answer, and the first token of either answer in which they differ."""

    tokens: tuple[int, ...]
    bad: int
    other: int


@dataclass(frozen=True)
class _Loaded:
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    readings: tuple[_Reading, ...]
    left_out: int
    """Tokens at the end of a prompt that are read with the readings."""
    most: int
    """Tokens of a prompt that fit."""


@dataclass(frozen=True)
class CausalGuard:
    """Scores answers by a guard; its weights are loaded when the first is scored."""

    name: str
    fingerprint: str
    template: GuardTemplate
    device: str
    read: Callable[[], tuple[PreTrainedModel, PreTrainedTokenizerBase]]
    """Reads the model and its tokenizer; raises `UsageError` when they cannot be had."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of its template."""
        return self.template.labels

    @property
    def batch_tokens(self) -> int:
        """Tokens of one batch, padding included."""
        return _BATCH_TOKENS["cpu" if self.device == "cpu" else "other"]

    def put(self, prompt: str, text: str) -> str:
        """As a `PairScorer`."""
        return self.template.put(prompt, text)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores [n, labels] of what `put` gives, in one batch."""
        return self.score_encoded(self.encode(texts))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Cut what `put` gives into tokens; without texts, only make sure that the model is loaded.

        Raises:
            ValueError: a text is longer than the guard reads.
        """
        loaded = self._loaded
        rows = []
        for ids in (_ids(loaded.tokenizer, text)[: -loaded.left_out] for text in texts):
            if len(ids) > loaded.most:
                raise ValueError(f"{len(ids)} tokens; the guard reads {loaded.most}")
            rows.append({"input_ids": ids})
        return rows

    def score_encoded(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Scores [n, labels] of encoded texts, in one batch."""
        import torch

        if not rows:
            return np.empty((0, len(self.labels)))
        loaded, width = self._loaded, max(len(row["input_ids"]) for row in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, width - len(row["input_ids"]) :] = torch.tensor(row["input_ids"])
            mask[number, width - len(row["input_ids"]) :] = 1
        with torch.inference_mode():
            found = _probabilities(loaded, ids.to(loaded.model.device), mask.to(loaded.model.device))
        return self.template.scores(np.asarray(found.cpu().numpy(), dtype=np.float64))

    @cached_property
    def _loaded(self) -> _Loaded:
        model, tokenizer = self.read()
        readings, left_out = _readings(self.template, tokenizer, self.name)
        config = model.config.get_text_config()
        longest = max(len(reading.tokens) for reading in readings)
        most = getattr(config, "max_position_embeddings", 1_000_000) - longest
        try:
            # mypy takes the method, which transformers wraps, for a function of a model and a device.
            model = model.to(self.device).eval()  # type: ignore[arg-type]
        except (AssertionError, RuntimeError) as error:
            raise UsageError(
                f"scorer {self.name!r}: cannot be put on device {self.device} ({reason(error)})"
            ) from error
        return _Loaded(model, tokenizer, readings, left_out, most)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """A text's tokens after the one that begins a text, where the tokenizer has such."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids if tokenizer.bos_token_id is None else [tokenizer.bos_token_id, *ids]


def _readings(
    template: GuardTemplate, tokenizer: PreTrainedTokenizerBase, name: str
) -> tuple[tuple[_Reading, ...], int]:
    """The readings in tokens, and how many tokens of a prompt's end they take over, one at least.

    The end of every prompt is the template's own, so it is cut alike whatever was asked.

    Raises:
        UsageError: the tokenizer does not tell the answers apart.
    """
    prompt = template.put("Hello.", "Good day.")
    whole = _ids(tokenizer, prompt)
    cut: list[tuple[list[int], int, int]] = []
    shared = len(whole) - 1
    for reading in template.readings:
        bad, other = (_ids(tokenizer, prompt + reading + answer) for answer in template.answers)
        same = _n_same(bad, other)
        if same == min(len(bad), len(other)):
            raise UsageError(
                f"scorer {name!r}: its tokenizer does not tell {' from '.join(map(repr, template.answers))}"
            )
        cut.append((bad[:same], bad[same], other[same]))
        shared = min(shared, _n_same(whole, bad[:same]), same - 1)
    return tuple(_Reading(tuple(ids[shared:]), bad, other) for ids, bad, other in cut), len(whole) - shared


def _n_same(one: Sequence[int], other: Sequence[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _probabilities(loaded: _Loaded, ids: Tensor, mask: Tensor) -> Tensor:
    """Probability of the bad answer over that of both, [n, readings], of prompts that are padded on the left."""
    import torch

    n, width = ids.shape
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    longest = max(len(reading.tokens) for reading in loaded.readings)
    window = getattr(loaded.model.config.get_text_config(), "sliding_window", None)
    # A cache that has begun to forget cannot be taken back to the prompt's end.
    shares = len(loaded.readings) > 1 and (window is None or width + longest < window)
    cache: Any = None
    if shares:
        inner = loaded.model.base_model
        cache = inner(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True).past_key_values
    found = []
    for reading in loaded.readings:
        tokens = torch.tensor(reading.tokens, device=ids.device).expand(n, -1)
        places = positions[:, -1:] + torch.arange(1, tokens.shape[1] + 1, device=ids.device)
        asked = {
            "input_ids": tokens if shares else torch.cat([ids, tokens], dim=1),
            "attention_mask": torch.cat([mask, torch.ones_like(tokens)], dim=1),
            "position_ids": places if shares else torch.cat([positions, places], dim=1),
        }
        logits = loaded.model(**asked, past_key_values=cache, use_cache=shares).logits[:, -1].float()
        found.append((logits[:, reading.bad] - logits[:, reading.other]).sigmoid())
        if shares:
            cache.crop(width)
    return torch.stack(found, dim=1)
