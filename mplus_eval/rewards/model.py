"""Reward models: a dialogue in, one number out."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mplus_eval.errors import SpecError
from mplus_eval.records.training import damage_of
from mplus_eval.sandbox import bound_chat_templates
from mplus_eval.store.sealed import DamagedFileError, read_sealed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCALE_FILE = "reward_scale.json"

# A tokenizer that knows no limit names a number too large for its own library.
_LONGEST = 2**31 - 1

_BATCH_TOKENS = {"cpu": 1024, "other": 32_768}
"""Read at once, padding included. A processor is slower with more, which its caches don't hold."""

Messages = Sequence[dict[str, str]]
"""A dialogue as a chat template takes it: each message with `role` and `content`."""


@dataclass(frozen=True)
class RewardModel:
    """A model that gives one number for a dialogue, standardised by its rewards on held-out pairs.

    Of a dialogue longer than the model can read the beginning is cut off, since it is the answer that is judged.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    directory: Path
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def load(
        cls,
        directory: Path,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        scaled: bool = True,
    ) -> RewardModel:
        """Load a checkpoint of `mplus-eval train reward`, or any sequence classifier with one label.

        Raises:
            SpecError: when there is no such checkpoint, it is not as its training left it, gives more than one number,
                or cannot pad.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        bound_chat_templates()
        config = directory / "config.json"
        if not config.is_file():
            raise SpecError([f"reward model {directory}: no config.json, so it is not a checkpoint directory"])
        if damage := damage_of(directory):
            raise SpecError([f"reward model {directory}: {damage}"])
        labels = json.loads(config.read_text(encoding="utf-8")).get("id2label", {"0": "", "1": ""})
        if len(labels) != 1:
            raise SpecError([f"reward model {directory}: gives {len(labels)} numbers, one is expected"])
        tokenizer = AutoTokenizer.from_pretrained(directory, truncation_side="left", trust_remote_code=False)
        if tokenizer.pad_token is None:
            lacks = "its tokenizer has no padding token; give a pad_token in tokenizer_config.json"
            raise SpecError([f"reward model {directory}: {lacks}"])
        # Rows are sorted by their tokens before they are padded; the library would advise against it at every call.
        tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
        try:
            model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=dtype, use_safetensors=True)
        except OSError as error:
            why = " ".join(str(error).split())[:150]
            raise SpecError([f"reward model {directory}: weights as safetensors are expected ({why})"]) from None
        model = model.to(device).eval()
        # Decoders find the end of each text in a batch by it.
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        return cls(model, tokenizer, directory, *(_scale(directory) if scaled else (0.0, 1.0)))

    def __call__(
        self, prompts: Sequence[Messages], answers: Sequence[str], ended: Sequence[bool] = ()
    ) -> list[float | None]:
        """As a `Reward`; whether an answer ended is another part's business."""
        return list(self.score(prompts, answers))

    @torch.no_grad()
    def score(self, prompts: Sequence[Messages], answers: Sequence[str]) -> list[float]:
        """The reward of an answer to each prompt."""
        rows = self._encoded(prompts, answers, truncation=True, max_length=self.max_length)
        raw = torch.zeros(len(rows))
        for batch in token_batches([len(row) for row in rows], self.model.device.type):
            encoded = self.tokenizer.pad(
                {"input_ids": [rows[index] for index in batch]}, return_tensors="pt", padding_side="right"
            ).to(self.model.device)
            raw[batch] = self.model(**encoded).logits[:, 0].float().cpu()
        return list(standardise(raw, self.mean, self.deviation).tolist())

    def truncated(self, prompts: Sequence[Messages], answers: Sequence[str]) -> list[bool]:
        """Whether each dialogue is longer than the model can read, and so loses its beginning."""
        return [len(row) > self.max_length for row in self._encoded(prompts, answers, verbose=False)]

    @property
    def max_length(self) -> int:
        """Tokens that the model can read: what its positions allow, or its tokenizer where that says less."""
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(min(positions or _LONGEST, self.tokenizer.model_max_length, _LONGEST))

    def _encoded(self, prompts: Sequence[Messages], answers: Sequence[str], **settings: Any) -> list[list[int]]:
        """Each dialogue's tokens."""
        texts = [self._text(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        return list(self.tokenizer(texts, add_special_tokens=False, **settings)["input_ids"]) if texts else []

    def _text(self, prompt: Messages, answer: str) -> str:
        # The template puts a space before an answer, and the sampled text begins with it.
        messages = [*prompt, {"role": "assistant", "content": answer.strip()}]
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False))


def token_batches(lengths: Sequence[int], device: str) -> Iterator[list[int]]:
    """Numbers of rows that are read together, shorter ones first, so that little is padding.

    Args:
        lengths: tokens of each row. A row longer than a batch is read alone.
        device: type of the device that reads, such as `cpu`.
    """
    most = _BATCH_TOKENS["cpu" if device == "cpu" else "other"]
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if batch and (len(batch) + 1) * lengths[index] > most:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _scale(directory: Path) -> tuple[float, float]:
    """Mean and deviation of the rewards of held-out pairs; 0 and 1 where none are stored.

    Raises:
        SpecError: the stored ones are damaged, or no numbers.
    """
    if not os.path.lexists(directory / SCALE_FILE):
        return 0.0, 1.0
    try:
        stored = read_sealed(directory / SCALE_FILE)
    except DamagedFileError as error:
        raise SpecError([f"reward model {error}"]) from None
    mean, deviation = stored.get("mean", 0.0), stored.get("deviation") or 1.0
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in (mean, deviation)):
        raise SpecError([f"reward model {directory / SCALE_FILE}: mean and deviation are expected to be numbers"])
    return float(mean), float(deviation)


def standardise(rewards: Tensor, mean: float, deviation: float) -> Tensor:
    """Rewards in deviations from a mean, both measured elsewhere, so that rewards and penalties share one scale.

    Args:
        rewards: any shape.
        mean: of rewards on held-out pairs.
        deviation: the same; above zero.

    Raises:
        ValueError: when the deviation is not above zero: all answers are worth the same then.
    """
    if not deviation > 0:
        raise ValueError(f"rewards cannot be scaled by a deviation of {deviation:g}")
    return (rewards - mean) / deviation
