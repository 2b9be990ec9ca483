"""The backend `openai`: any server with OpenAI's completions API, through lm-eval's `local-completions`."""

from __future__ import annotations

from typing import Any

from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.sources import Source
from mplus_eval.spec import ModelSpec

_CONCURRENT_REQUESTS = 8
_REQUESTS_PER_CALL = 64


def load(model: ModelSpec, source: Source) -> LmEvalModel:
    """Connect to a server.

    The server must answer `/completions` with `echo` and `logprobs` for the choice tasks, as vLLM's does.
    """
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    lm = LocalCompletionsAPI(**arguments(model, source))
    if lm.tokenizer is not None:
        set_chat_template(lm.tokenizer, model.chat_template)
    return LmEvalModel(lm, LoadedModel("openai", None, None, None), _REQUESTS_PER_CALL)


def arguments(model: ModelSpec, source: Source) -> dict[str, Any]:
    """Translate a model's keys into those of lm-eval's `LocalCompletionsAPI`.

    Without a tokenizer the server's own (`/tokenizer_info`, vLLM's) is used where it offers one.
    """
    given: dict[str, Any] = {
        "base_url": f"{source.base_url}/completions",
        "model": source.served_name,
        "num_concurrent": _CONCURRENT_REQUESTS,
        "batch_size": 1 if model.batch_size == "auto" else model.batch_size,
        "tokenizer_backend": "huggingface" if model.tokenizer else "auto",
        "tokenizer": model.tokenizer,
    }
    return {key: value for key, value in given.items() if value is not None}
