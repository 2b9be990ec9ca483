"""The backend `openai`: any server with OpenAI's completions API, through lm-eval's `local-completions`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import LoadedModel, Response, ServerError
from mplus_eval.backends.decoding import Decoding
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.backends.reasoning import reasoning_of
from mplus_eval.models.chat_format import chat_format
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.servers import owner_of
from mplus_eval.spec.backends import BACKENDS, ServerApi
from mplus_eval.spec.decoding import served_name
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

CONCURRENT_REQUESTS = 8
TIMEOUT_SECONDS = 300
TRIES = 3
REQUESTS_PER_CALL = 64


_NEUTRAL = {
    "vllm": {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
}
"""By who serves (`/models` says it), what must be said lest the server takes a checkpoint's settings or its own."""
_NEUTRAL_ANYWHERE = {"top_p": 1.0}
_SHOWS_SPECIAL = ("vllm", "sglang")
"""Servers that can leave special tokens in a text, where stop strings and the ends of reasoning are found."""


class OpenAIModel(LmEvalModel):
    """A served model; a request that fails is tried `TRIES` times in all."""

    owner = ""
    """Who serves it, as its `/models` says: vllm, sglang, llamacpp."""
    own_decoding = False
    """Whether the server's own settings hold where a request names none."""

    def options(self, settings: dict[str, Any]) -> dict[str, Any]:
        """As the server names them, with what it would otherwise take from a checkpoint's generation_config."""
        neutral = {} if self.own_decoding else _NEUTRAL.get(self.owner, _NEUTRAL_ANYWHERE)
        named = {served_name(name): value for name, value in settings.items()}
        if self.owner == "llamacpp" and "repetition_penalty" in named:
            named["repeat_penalty"] = named.pop("repetition_penalty")
        is_read = bool(settings["until"]) or self.reasoning is not None
        shown = {"skip_special_tokens": False} if self.owner in _SHOWS_SPECIAL and is_read else {}
        return {**neutral, **shown, **named}

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order.

        Raises:
            ServerError: when a request failed `TRIES` times; says how.
        """
        import aiohttp
        from requests import RequestException

        try:
            # A text that can be stored: JSON allows halves of surrogate pairs, which no encoding has.
            return [
                response
                if (text := response.text) is None
                else replace(response, text=text.encode("utf-8", "replace").decode("utf-8"))
                for response in super().respond(requests)
            ]
        except aiohttp.ClientResponseError as error:
            raise ServerError(self._says(f"answered {error.status} {error.message}")) from error
        except (aiohttp.ClientError, RequestException) as error:
            raise ServerError(self._says(f"could not be reached ({error})")) from error
        except TimeoutError as error:
            raise ServerError(self._says(f"did not answer within {self.lm.timeout} s")) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"({type(error).__name__}: {error}); prompt log-probabilities need echo and logprobs"
            raise ServerError(self._says(f"answered what is no completion {what}")) from error

    def _says(self, what: str) -> str:
        return f"the server {self.lm.base_url} {what}, {TRIES} times"


def load(model: ModelSpec, source: ModelLocation) -> OpenAIModel:
    """Connect to a server.

    The server must answer `/completions` with `echo` and `logprobs` for the choice tasks, as vLLM's does.
    """
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    lm = LocalCompletionsAPI(**arguments(model, source))
    set_chat_template(lm, model.chat_template, model.enable_thinking)
    # Without a tokenizer the server encodes, in a way that it does not tell.
    encoding = Encoding.of(lm.tokenizer, model.add_bos) if source.tokenizer else None
    reasoning = reasoning_of(model, lm.tokenizer, encode=encoding.bare_text if encoding else None)
    own = model.generation == "own"
    decoding = Decoding.of(None if own else model.generation, None, serves_itself=True)
    chat = chat_format(lm.tokenizer) if encoding else None
    asking = None
    if encoding or model.generation:
        asking = asking_of(model, encoding, max_length=lm.max_length, decoding=decoding, chat=chat, reasoning=reasoning)
    if asking and own:
        asking = asking.model_copy(update={"decoding": {"what a request does not name": "the server's own"}})
    facts = LoadedModel("openai", None, None, None, asking=asking)
    backend = OpenAIModel(lm, facts, REQUESTS_PER_CALL, reasoning, encoding)
    backend.owner = owner_of(source.base_url or "", source.served_name or "", server_api())
    backend.own_decoding, backend.decoding = own, decoding
    return backend


def server_api() -> ServerApi:
    """How servers of this backend are addressed."""
    server = BACKENDS["openai"].server
    assert server is not None
    return server


def arguments(model: ModelSpec, source: ModelLocation) -> dict[str, object]:
    """Translate a model's keys into those of lm-eval's `LocalCompletionsAPI`.

    Without a tokenizer the server's own (`/tokenizer_info`, vLLM's) is used. With one, texts are encoded here, as with
    the backend hf.
    """
    key = os.environ.get(server_api().key_variable, "")
    given = {
        "base_url": f"{source.base_url}/completions",
        "model": source.served_name,
        "num_concurrent": CONCURRENT_REQUESTS,
        "max_retries": TRIES,
        "timeout": TIMEOUT_SECONDS,
        "max_length": source.max_length,
        "batch_size": 1 if model.batch_size == "auto" else model.batch_size,
        "tokenizer_backend": "huggingface" if source.tokenizer else "remote",
        "tokenizer": str(source.tokenizer) if source.tokenizer else None,
        # For `encode_by`, which looks itself at what a text begins with.
        "add_bos_token": source.tokenizer is not None,
        "trust_remote_code": model.trust_remote_code,
        "auth_token": key or None,
        # lm-eval would put OPENAI_API_KEY into it, whatever key belongs to this server.
        "header": {"Authorization": f"Bearer {key}"},
    }
    return {name: value for name, value in given.items() if value is not None}
