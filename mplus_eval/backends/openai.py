"""The backend `openai`: any server with OpenAI's completions API, through lm-eval's `local-completions`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import LoadedModel, Response, ServerError
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.backends.reasoning import reasoning_of
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

CONCURRENT_REQUESTS = 8
TIMEOUT_SECONDS = 300
TRIES = 3
_REQUESTS_PER_CALL = 64


class OpenAIModel(LmEvalModel):
    """A served model; a request that fails is tried `TRIES` times in all."""

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
    asking = asking_of(model, encoding, max_length=lm.max_length) if encoding else None
    facts = LoadedModel("openai", None, None, None, asking=asking)
    return OpenAIModel(lm, facts, _REQUESTS_PER_CALL, reasoning, encoding)


def arguments(model: ModelSpec, source: ModelLocation) -> dict[str, object]:
    """Translate a model's keys into those of lm-eval's `LocalCompletionsAPI`.

    Without a tokenizer the server's own (`/tokenizer_info`, vLLM's) is used. With one, texts are encoded here, as with
    the backend hf.
    """
    server = BACKENDS["openai"].server
    assert server is not None
    key = os.environ.get(server.key_variable, "")
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
