"""What a decoder says of the next token at every place, with logits made of few places at a time where they are many.

    states   (batch, length, hidden size)     what the last layer gives
    logits   (places, vocabulary)             head(states) of some of them

Of a vocabulary of 262,144 words the logits of 32 texts of 1,024 tokens would take 32 GiB, and their states 80 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from mplus_eval.inference.logits import without_adapter
from mplus_eval.training.sampling import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VALUES_AT_ONCE = 2**24
"""Logits that are made at once: 64 MiB in float32, and some copies of it."""


@dataclass(frozen=True)
class NextTokens:
    """States of (batch, length, hidden size) and the head that makes logits of them; without one they are logits."""

    states: Tensor
    head: Head | None = None

    def logits(self, states: Tensor) -> Tensor:
        """Of some of the states, (places, hidden size) to (places, vocabulary)."""
        return states if self.head is None else self.head(states)

    @property
    def places_at_once(self) -> int:
        """Of how many places logits may be made at once."""
        vocabulary = self.states.shape[-1] if self.head is None else self.head.vocabulary
        return max(1, VALUES_AT_ONCE // vocabulary)

    def without_last(self) -> NextTokens:
        """The same without the last place of every row, which predicts what is not there."""
        return NextTokens(self.states[:, :-1], self.head)


@dataclass(frozen=True)
class Head:
    """What makes logits of a decoder's states: a layer, and a cap where the model has one (Gemma 2)."""

    layer: torch.nn.Module
    vocabulary: int
    cap: float | None

    def __call__(self, states: Tensor) -> Tensor:
        """Of (places, hidden size), on the layer's device."""
        logits: Tensor = self.layer(states)
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap


def next_tokens(model: torch.nn.Module, ids: Tensor, attended: Tensor) -> NextTokens:
    """Run a model over texts, padded on the right.

    Few logits are made at once and by the model itself. Of many the head is called apart, if that gives what the model
    gives: not every model's logits are its head's, and a model in a wrapper (FSDP, DeepSpeed) wants to be called whole.

    Args:
        model: a causal language model, with or without an adapter.
        ids: (batch, length).
        attended: the same shape, 1 where there is text.
    """
    device = _device(model)
    inputs = {"input_ids": ids.to(device), "attention_mask": attended.to(device), "use_cache": False}
    config = getattr(model, "config", None)
    vocabulary = config.get_text_config().vocab_size if config is not None else 0
    if ids.numel() * vocabulary > VALUES_AT_ONCE and (parts := _split(model)) is not None:
        decoder, head = parts
        return NextTokens(decoder(**inputs).last_hidden_state, head)
    return NextTokens(model(**inputs).logits)


def _split(model: torch.nn.Module) -> tuple[torch.nn.Module, Head] | None:
    """Decoder and head of a model whose logits are the head's, as a few tokens show; None of any other."""
    if not _is_plain(model):
        return None
    inner = without_adapter(cast("PreTrainedModel", model))
    layer, decoder = inner.get_output_embeddings(), inner.base_model
    # An adapter on the head would have to be switched off and on with that of the decoder.
    if layer is None or decoder is inner or any("lora" in name for name, _ in layer.named_parameters()):
        return None
    text = inner.config.get_text_config()
    head = Head(layer, text.vocab_size, getattr(text, "final_logit_softcapping", None))
    few: Any = {"input_ids": torch.arange(4, device=_device(inner))[None], "use_cache": False}
    with torch.no_grad(), evaluating(inner):
        whole, apart = inner(**few).logits.float(), head(decoder(**few).last_hidden_state).float()
    same = whole.shape == apart.shape and bool(torch.allclose(whole, apart, rtol=1e-2, atol=1e-2))
    return (decoder, head) if same else None


def _is_plain(model: torch.nn.Module) -> bool:
    """Whether it is a model of transformers, or one in an adapter, in no wrapper and with its weights whole."""
    from torch.distributed.tensor import DTensor
    from transformers import PreTrainedModel

    kinds: tuple[type, ...] = (PreTrainedModel,)
    if hasattr(model, "peft_config"):
        from peft import PeftModel

        kinds = (PreTrainedModel, PeftModel)
    return isinstance(model, kinds) and not any(isinstance(weights, DTensor) for weights in model.parameters())


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device
