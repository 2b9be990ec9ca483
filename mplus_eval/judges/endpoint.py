"""Where a language model that judges is asked, and whether it can be."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mplus_eval.data.hub import reason
from mplus_eval.servers.usage import Price
from mplus_eval.spec.model import is_url

if TYPE_CHECKING:
    from openai import OpenAI

_PROBE_TIMEOUT_SECONDS = 10.0
_OPENAI_HOST = "api.openai.com"
_SHORTEST_KEY = 8


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible API. Its key stands in the environment, and nowhere in this record."""

    base_url: str
    model: str
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; a server that wants none is asked without."""
    concurrency: int = 8
    """How many requests are under way at the same time."""
    timeout_seconds: float = 120.0
    tries: int = 5
    max_tokens: int = 1024
    """The longest reply."""
    price: Price | None = None

    @property
    def key(self) -> str:
        """The key; empty when there is none."""
        return os.environ.get(self.key_variable, "").strip()

    def without_key(self, text: str) -> str:
        """A text to be shown or stored, with the key blotted out should a server have repeated it."""
        # Shorter ones are stand-ins that local servers are given, as EMPTY or x, and may be part of any word.
        return text.replace(self.key, "***") if len(self.key) >= _SHORTEST_KEY else text

    def connect(self, timeout_seconds: float | None = None) -> OpenAI:
        """A client that tries once; whoever asks says when to try again."""
        from openai import OpenAI

        seconds = timeout_seconds or self.timeout_seconds
        return OpenAI(base_url=self.base_url, api_key=self.key or "none", timeout=seconds, max_retries=0)


def endpoint_faults(endpoint: Endpoint, where: str = "judge") -> list[str]:
    """Return what stands in the way of asking a judge, a line each.

    A server that lists the model is believed. One that lists no models, or others, is asked for a single token.

    Args:
        endpoint: the judge.
        where: how messages begin.
    """
    url, key, name = endpoint.base_url, endpoint.key, endpoint.key_variable
    if not is_url(url):
        return [f"{where}: base_url {url!r}: write http://HOST:PORT/v1"]
    parts = urlsplit(url)
    if parts.query or parts.username or parts.password:
        return [f"{where}: a server is written http://HOST:PORT/v1; its key is read from {name}"]
    if not key and parts.hostname == _OPENAI_HOST:
        return [f"{where}: {parts.hostname} needs a key; set {name}"]
    if not (key.isascii() and key.isprintable()) or " " in key:
        return [f"{where}: {name} holds characters that no key has"]
    return [endpoint.without_key(fault) for fault in _reply_faults(endpoint, where)]


def _reply_faults(endpoint: Endpoint, where: str) -> list[str]:
    import openai

    at = f"{where}: the server {endpoint.base_url}"
    try:
        served = _served(endpoint)
        if endpoint.model not in served:
            endpoint.connect().chat.completions.with_raw_response.create(
                model=endpoint.model, messages=[{"role": "user", "content": "Say yes."}], max_tokens=1
            )
    except openai.APIConnectionError as error:
        root = error.__cause__ if isinstance(error.__cause__, Exception) else error
        return [f"{where}: cannot reach the server {endpoint.base_url} ({reason(root)})"]
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        return [f"{at} refuses the key; set {endpoint.key_variable}"]
    except openai.APIStatusError as error:
        names = f"; it serves {', '.join(served)}" if served else "; base_url usually ends in /v1"
        return [f"{at} answers {error.status_code} when asked for {endpoint.model!r}{names}"]
    return []


def _served(endpoint: Endpoint) -> list[str]:
    """Names of the models that a server lists; none when it keeps no list."""
    import openai

    try:
        text = endpoint.connect(_PROBE_TIMEOUT_SECONDS).models.with_raw_response.list().http_response.text
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        raise
    except openai.APIStatusError:
        return []
    with suppress(KeyError, TypeError, ValueError):
        return [str(entry["id"]) for entry in json.loads(text)["data"]]
    return []
