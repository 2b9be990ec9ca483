"""lm-eval's `HFLM`, stricter and mended: a checkpoint loads whole or not at all, and NaN is never an answer.

Imports torch and lm-eval, so it is imported only when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from mplus_eval.inference.logits import NotANumberError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class IncompleteWeightsError(ValueError):
    """The weight files lack tensors that the architecture needs; transformers would fill them with random numbers."""


class WholeModel:
    """`AutoModelForCausalLM`, refusing a checkpoint that leaves parts of the model at random weights."""

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> PreTrainedModel:
        """Load a model; the arguments are those of transformers.

        Raises:
            IncompleteWeightsError: naming the first tensor that is missing or of another shape.
        """
        loaded: Any = AutoModelForCausalLM.from_pretrained(*args, output_loading_info=True, **kwargs)
        model: PreTrainedModel = loaded[0]
        loading = loaded[1]
        lacking = [*sorted(loading["missing_keys"]), *sorted(str(key[0]) for key in loading["mismatched_keys"])]
        if lacking:
            raise IncompleteWeightsError(f"the checkpoint lacks {len(lacking)} tensors, first {lacking[0]}")
        return model


class CheckedHFLM(HFLM):
    """`HFLM` over a whole checkpoint, optionally quantized while it is loaded."""

    AUTO_MODEL_CLASS = WholeModel

    def __init__(self, *args: Any, quantization: str | None = None, **kwargs: Any) -> None:
        """Load a model; the arguments are those of `HFLM`, and `quantization` is 4bit or 8bit."""
        self._quantization = quantization
        super().__init__(*args, **kwargs)
        self._nan_is_noticed = False
        self.model.register_forward_hook(self._refuse_nan)

    @contextmanager
    def nan_in_answers(self) -> Iterator[None]:
        """Let NaN pass inside, where it reaches the answers that it belongs to."""
        self._nan_is_noticed = True
        try:
            yield
        finally:
            self._nan_is_noticed = False

    def _create_model(self, *args: object, **kwargs: object) -> None:
        # HFLM itself offers no way to quantize with transformers 5, which takes it in `quantization_config` alone.
        if self._quantization is not None:
            four = self._quantization == "4bit"
            kwargs["quantization_config"] = BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=not four)
        super()._create_model(*args, **kwargs)

    def _refuse_nan(self, _module: torch.nn.Module, _inputs: object, output: object) -> None:
        """Stop at NaN logits, since decoding would turn them into text without a word.

        Only the last position is looked at: the rows of padding may hold anything, and a NaN spreads to what follows.
        """
        logits = None if self._nan_is_noticed else getattr(output, "logits", None)
        if logits is not None and bool(logits[:, -1].isnan().any()):
            raise NotANumberError("the model returned NaN logits")
