"""lm-eval's `HFLM`, stricter and mended: a checkpoint loads whole or not at all, and NaN is never an answer.

Imports torch and lm-eval, so it is imported only when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from lm_eval.models.huggingface import HFLM
from transformers import BitsAndBytesConfig

from mplus_eval.backends.adapters import with_adapter
from mplus_eval.backends.encoding import Encoding
from mplus_eval.inference.logits import NotANumberError
from mplus_eval.models.adapter_rows import is_of_whole_class
from mplus_eval.models.auto_class import auto_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


class IncompleteWeightsError(ValueError):
    """The weight files lack tensors that the architecture needs; transformers would fill them with random numbers."""


class WholeModel:
    """The auto class of a checkpoint, refusing one that leaves parts of the model at random weights."""

    @classmethod
    def from_pretrained(
        cls,
        *args: Any,
        config: PretrainedConfig,
        whole_class: bool = False,
        placement: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> PreTrainedModel:
        """Load a model.

        Args:
            *args: those of transformers.
            config: the checkpoint's.
            whole_class: whether its class that also sees is wanted, where there is one for its text alone.
            placement: where its parts go, in transformers' words; over what HFLM says of it.
            **kwargs: those of transformers.

        Raises:
            IncompleteWeightsError: naming the first tensor that is missing or of another shape.
        """
        auto = auto_class(config, whole=whole_class)
        loaded: Any = auto.from_pretrained(
            *args, config=config, output_loading_info=True, **{**kwargs, **(placement or {})}
        )
        model: PreTrainedModel = loaded[0]
        loading = loaded[1]
        lacking = [*sorted(loading["missing_keys"]), *sorted(str(key[0]) for key in loading["mismatched_keys"])]
        if lacking:
            raise IncompleteWeightsError(f"the checkpoint lacks {len(lacking)} tensors, first {lacking[0]}")
        return model


class CheckedHFLM(HFLM):
    """`HFLM` over a whole checkpoint, optionally quantized while it is loaded; texts are encoded by `Encoding`."""

    AUTO_MODEL_CLASS = WholeModel
    tokenizer: PreTrainedTokenizerBase

    def __init__(
        self,
        *args: Any,
        quantization: str | None = None,
        weights_in: Path | None = None,
        add_bos: bool | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        """Load a model.

        Args:
            *args: those of `HFLM`.
            quantization: 4bit or 8bit.
            weights_in: the GGUF file that holds the weights, where the directory has all but them.
            add_bos: whether a plain prompt begins with the beginning-of-text token; `auto` is the tokenizer's own way.
            **kwargs: those of `HFLM`.

        Raises:
            TokenizerError: when its tokenizer is broken.
        """
        self._quantization = quantization
        self._weights_in = weights_in
        super().__init__(*args, **kwargs)
        self.encoding = Encoding.of(self.tokenizer, add_bos)
        # Asked once: an adapter that trained single rows puts its table together at every look.
        self.n_rows = int(self.model.get_input_embeddings().weight.shape[0])
        if (pad := self.tokenizer.pad_token_id) is not None and pad >= self.n_rows:
            # Padding is masked, but has to be some row.
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._nan_is_noticed = False
        self.model.register_forward_hook(self._refuse_nan)

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **kwargs: object,
    ) -> list[int]:
        """Ids of a text, as `Encoding` has them; bare where `add_special_tokens` is false."""
        encode = self.encoding.bare if add_special_tokens is False else self.encoding.encode
        (ids,) = encode([string])
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def tok_batch_encode(
        self,
        strings: list[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids of texts and their mask, padded; every text is encoded as `tok_encode` encodes it."""
        padded = self.tokenizer.pad(
            {"input_ids": self.encoding.encode(strings)}, padding_side=padding_side, return_tensors="pt"
        )
        cut = slice(-left_truncate_len if left_truncate_len else None, None)
        return padded["input_ids"][:, cut], padded["attention_mask"][:, cut]

    @contextmanager
    def nan_in_answers(self) -> Iterator[None]:
        """Let NaN pass inside, where it reaches the answers that it belongs to."""
        self._nan_is_noticed = True
        try:
            yield
        finally:
            self._nan_is_noticed = False

    def _create_model(self, *args: object, peft: str | None = None, **kwargs: object) -> None:
        # HFLM itself offers no way to quantize with transformers 5, which takes it in `quantization_config` alone.
        if self._quantization is not None:
            four = self._quantization == "4bit"
            kwargs["quantization_config"] = BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=not four)
        if self._weights_in is not None:
            kwargs["gguf_file"] = str(self._weights_in)
        whole_class = peft is not None and is_of_whole_class(Path(peft))
        super()._create_model(*args, config=self.config, whole_class=whole_class, **kwargs)
        model: Any = vars(self)["_model"]
        if self._weights_in is not None and all(each.is_floating_point() for each in model.parameters()):
            # Unpacked while it was loaded, so that it computes as any other.
            model.is_quantized = False
        if peft is not None:
            # HFLM itself would cut a padded vocabulary to the tokenizer's length.
            self._model = with_adapter(model, Path(peft))

    def _refuse_nan(self, _module: torch.nn.Module, _inputs: object, output: object) -> None:
        """Stop at NaN logits, since decoding would turn them into text without a word.

        Only the last position is looked at: the rows of padding may hold anything, and a NaN spreads to what follows.
        """
        logits = None if self._nan_is_noticed else getattr(output, "logits", None)
        if logits is not None and bool(logits[:, -1].isnan().any()):
            raise NotANumberError("the model returned NaN logits")
