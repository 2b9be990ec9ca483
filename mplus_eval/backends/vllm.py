"""The backend `vllm`: lm-eval's own vLLM model class."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.sources import Source
from mplus_eval.spec import ModelSpec

MISSING = "the backend vllm needs the package vllm: pip install 'mplus-eval[vllm]'"
_REQUESTS_PER_CALL = 2048  # vLLM schedules its batches itself; a call only has to be long enough to fill them


def is_installed() -> bool:
    """Tell whether vllm can be imported."""
    return find_spec("vllm") is not None


def load(model: ModelSpec, source: Source) -> LmEvalModel:
    """Load a checkpoint directory into vLLM."""
    lm_class = _lm_class()
    lm = lm_class(**arguments(model, source))
    set_chat_template(lm.tokenizer, model.chat_template)
    return LmEvalModel(lm, LoadedModel("vllm", model.dtype, None, model.device), _REQUESTS_PER_CALL)


def arguments(model: ModelSpec, source: Source) -> dict[str, Any]:
    """Translate a model's keys into those of lm-eval's `VLLM`."""
    given = {
        "pretrained": str(source.path),
        "dtype": model.dtype,
        "tokenizer": model.tokenizer,
        "batch_size": model.batch_size,
        "trust_remote_code": model.trust_remote_code,
        "quantization": "bitsandbytes" if model.quantization else None,
        "lora_local_path": str(source.adapter) if source.adapter else None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _lm_class() -> Any:
    from lm_eval.models.vllm_causallms import VLLM

    return VLLM
