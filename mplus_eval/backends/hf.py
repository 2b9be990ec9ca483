"""The backend `hf`: transformers models on this machine, scored by lm-eval's `HFLM`."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.sources import Source
from mplus_eval.spec import ModelSpec

DEFAULT_BATCH_SIZE = {"cpu": 16, "cuda": 64}
_BATCHES_PER_CALL = 16


class NotANumberError(ArithmeticError):
    """The model returned NaN logits."""


class HfModel(LmEvalModel):
    """A transformers model; out of memory halves its batch and goes on."""

    def respond(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests, halving the batch size for as long as the memory does not suffice."""
        import torch

        while True:
            try:
                return super().respond(requests)
            except torch.OutOfMemoryError:
                if self.lm.batch_size_per_gpu <= 1:
                    raise
                self.lm.batch_size_per_gpu = max(1, self.lm.batch_size_per_gpu // 2)
            # Outside the handler, so that the failed call's tensors are no longer held by its traceback.
            gc.collect()
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Forget the model and give its memory back."""
        import torch

        super().close()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load(model: ModelSpec, source: Source) -> HfModel:
    """Load a checkpoint directory, with its adapter where it has one."""
    import torch
    from lm_eval.models.huggingface import HFLM

    device = model.device or ("cuda" if torch.cuda.is_available() else "cpu")
    batch_size = DEFAULT_BATCH_SIZE.get(device.split(":")[0], 16) if model.batch_size == "auto" else model.batch_size
    lm = HFLM(
        pretrained=str(source.path),
        peft=str(source.adapter) if source.adapter else None,
        tokenizer=model.tokenizer,
        dtype=model.dtype,
        device=device,
        batch_size=batch_size,
        trust_remote_code=model.trust_remote_code,
        backend="causal",
        **_quantization(model),
    )
    set_chat_template(lm.tokenizer, model.chat_template)
    _refuse_nan(lm.model)
    return HfModel(lm, _facts(lm, device), batch_size * _BATCHES_PER_CALL)


def _facts(lm: Any, device: str) -> LoadedModel:
    dtype = str(lm.model.dtype).removeprefix("torch.")
    return LoadedModel("hf", dtype, sum(parameter.numel() for parameter in lm.model.parameters()), device)


def _quantization(model: ModelSpec) -> dict[str, Any]:
    if model.quantization is None:
        return {}
    from transformers import BitsAndBytesConfig

    four = model.quantization == "4bit"
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=not four)}


def _refuse_nan(module: Any) -> None:
    """Stop at NaN logits, since decoding would turn them into text without a word.

    Only the last position is looked at: the rows of padding may hold anything, and a NaN spreads to what follows it.
    """

    def check(_module: Any, _inputs: Any, output: Any) -> None:
        logits = getattr(output, "logits", None)
        if logits is not None and bool(logits[:, -1].isnan().any()):
            raise NotANumberError("the model returned NaN logits")

    module.register_forward_hook(check)
