"""The backend `vllm`: lm-eval's own vLLM model class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.decoding import Decoding, end_ids, stored_config
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.backends.reasoning import reasoning_of
from mplus_eval.models.chat_format import chat_format
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.decoding import served_name
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.models.vllm_causallms import VLLM

REQUESTS_PER_CALL = 2048  # vLLM schedules its batches itself; a call only has to be long enough to fill them
_DEFAULT_RANK = 16


class VllmModel(LmEvalModel):
    """A model in a vLLM engine of its own."""

    ends: tuple[str, ...] = ()
    """Tokens that end any text, as the checkpoint's generation_config names them, which the engine does not read."""

    def options(self, settings: dict[str, Any]) -> dict[str, Any]:
        """As vLLM's `SamplingParams` names them."""
        named = {served_name(name): value for name, value in settings.items()}
        return {**named, "until": list(dict.fromkeys([*settings["until"], *self.ends]))}

    def render(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        """Put messages into the model's chat template.

        lm-eval would tell it that `enable_thinking` is None, which some templates take for false.
        """
        from jinja2 import TemplateError

        try:
            return str(
                self.lm.tokenizer.apply_chat_template(
                    messages,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                    chat_template=self.lm.hf_chat_template,
                )
            )
        except TemplateError:
            return super().render(messages, add_generation_prompt)

    def close(self) -> None:
        """Stop the engine, so that the next model finds its memory free."""
        import gc

        if self.lm is not None:
            self.lm.model.llm_engine.engine_core.shutdown()
        super().close()
        gc.collect()


def load(model: ModelSpec, source: ModelLocation) -> VllmModel:
    """Load a checkpoint directory into vLLM."""
    lm = _lm_class()(**arguments(model, source))
    set_chat_template(lm, model.chat_template, model.enable_thinking)
    dtype = str(lm.model.llm_engine.model_config.dtype).removeprefix("torch.")
    encoding = Encoding.of(lm.tokenizer, model.add_bos)
    reasoning = reasoning_of(model, lm.tokenizer, encode=encoding.bare_text)
    chat = chat_format(lm.tokenizer)
    configured = stored_config(source.path) if source.path else None
    decoding = Decoding.of(model.generation, configured, serves_itself=True)
    ends = [token for token in (*end_ids(configured), lm.tokenizer.eos_token_id) if token is not None]
    asking = asking_of(
        model,
        encoding,
        max_length=lm.max_length,
        decoding=decoding,
        ends=sorted(set(ends)),
        chat=chat,
        reasoning=reasoning,
    )
    backend = VllmModel(
        lm, LoadedModel("vllm", dtype, None, None, asking=asking), REQUESTS_PER_CALL, reasoning, encoding
    )
    backend.decoding = decoding
    backend.ends = tuple(dict.fromkeys([*lm.tokenizer.convert_ids_to_tokens(end_ids(configured)), *chat.turns.ends]))
    return backend


def arguments(model: ModelSpec, source: ModelLocation) -> dict[str, object]:
    """Translate a model's keys into those of lm-eval's `VLLM`."""
    given = {
        "pretrained": str(source.path),
        "dtype": model.dtype,
        "tokenizer": str(source.tokenizer) if source.tokenizer else None,
        "batch_size": model.batch_size,
        "trust_remote_code": model.trust_remote_code,
        "quantization": "bitsandbytes" if model.quantization else None,
        "lora_local_path": str(source.adapter) if source.adapter else None,
        "max_lora_rank": _rank(source.adapter) if source.adapter else None,
        # Nothing is taken from the checkpoint's own but what the model's key `generation` names.
        "generation_config": "vllm",
    }
    return {key: value for key, value in given.items() if value is not None}


def _rank(adapter: Path) -> int:
    """The rank of a LoRA adapter: vLLM reserves room for 16 unless it is told of more, and takes powers of two."""
    rank = int(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("r", _DEFAULT_RANK))
    return max(_DEFAULT_RANK, 1 << (rank - 1).bit_length())


def _lm_class() -> type[VLLM]:
    from lm_eval.models import vllm_causallms

    lm_class: type[VLLM] = vllm_causallms.VLLM
    return lm_class
