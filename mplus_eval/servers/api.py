"""What a server can, found by asking it for one token: which API, whether it tells log-probabilities of a prompt.

Nothing of this is announced. Completions come first, since a choice task needs the log-probabilities of texts that the
model did not write, which no chat API tells.

    /completions        echo with logprobs: OpenAI's old way, and that of vLLM, SGLang and llama.cpp
                        prompt_logprobs: vLLM's own
                        neither: texts alone
    /chat/completions   texts alone; the limit is called max_tokens, or by OpenAI's newer models max_completion_tokens,
                        which may take no temperature, seed or stop strings either
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mplus_eval.servers.client import Json, ServerClient
from mplus_eval.servers.failures import Patience, RequestFailed, ServerGoneError, UnreadableError

Kind = Literal["completions", "chat"]
PATHS: dict[Kind, str] = {"completions": "/completions", "chat": "/chat/completions"}
PROBE = "The sun is"
"""What is gone on from."""
_PATIENCE = Patience(timeout=60.0, silence=30.0, tries=5, slow_tries=1, in_a_row=1)
_CHAT_TOKENS = 16  # a model that reasons may refuse to be stopped at one
_MORE_THAN_ONE = 3  # log-probabilities, of prompt and answer: a server that passes over `echo` gives one


@dataclass(frozen=True)
class ServedApi:
    """How a served model is asked.

    Attributes:
        kind: the API.
        scores: how it tells log-probabilities of a prompt; None where it does not.
        limit: what the limit of new tokens is called.
        takes_settings: whether temperature, seed and stop strings may be given.
    """

    kind: Kind = "completions"
    scores: Literal["echo", "prompt_logprobs"] | None = "echo"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    takes_settings: bool = True

    @property
    def words(self) -> str:
        """As it is shown, and part of every fingerprint."""
        if self.kind == "chat":
            own = "" if self.takes_settings else ", temperature and seed its own"
            return f"chat completions ({self.limit}{own})"
        return f"completions ({'log-probabilities by ' + self.scores if self.scores else 'no log-probabilities'})"


class NoApiError(Exception):
    """A server answers in no API that is known here; says how."""


_found: dict[tuple[str, str, Kind | None], ServedApi] = {}


def forget() -> None:
    """Have servers asked anew, as every run does once."""
    _found.clear()


def find_api(url: str, name: str, key: str, wanted: Kind | None = None) -> ServedApi:
    """Ask a server what it can, once a run.

    Args:
        url: of the server.
        name: of the model there.
        key: sent along; empty for none.
        wanted: the API, where it was named.

    Raises:
        NoApiError: when it answers in none, or not in that one.
    """
    place = (url, name, wanted)
    if place not in _found:
        client = ServerClient(url, key, most=1, patience=_PATIENCE)
        try:
            _found[place] = _ask(client, name, wanted)
        finally:
            client.close()
    return _found[place]


def _ask(client: ServerClient, name: str, wanted: Kind | None) -> ServedApi:
    refusals: list[str] = []
    absent: set[Kind] = set()
    for api, body in _attempts(name):
        if wanted not in (None, api.kind) or api.kind in absent:
            continue
        try:
            (said,) = client.ask(PATHS[api.kind], [(body, _read_chat if api.kind == "chat" else _read_completion)])
        except ServerGoneError as error:
            refusals.append(f"{PATHS[api.kind]} {error}")
            absent.add(api.kind)
            continue
        if isinstance(said, RequestFailed):
            refusals.append(f"{PATHS[api.kind]} {said}")
        elif api.scores is None or said == api.scores:
            return api
    raise NoApiError("; ".join(dict.fromkeys(refusals)))


def _attempts(name: str) -> list[tuple[ServedApi, Json]]:
    """Everything that a server may understand, the most useful first."""
    text: Json = {"model": name, "prompt": PROBE, "max_tokens": 1, "temperature": 0}
    chat: Json = {"model": name, "messages": [{"role": "user", "content": PROBE}]}
    settings: Json = {"temperature": 0, "seed": 1, "stop": ["\n\n\n"]}
    newer: Literal["max_completion_tokens"] = "max_completion_tokens"
    return [
        (ServedApi(), {**text, "echo": True, "logprobs": 1}),
        (ServedApi(scores="prompt_logprobs"), {**text, "prompt_logprobs": 1}),
        (ServedApi(scores=None), text),
        (ServedApi("chat", None), {**chat, **settings, "max_tokens": _CHAT_TOKENS}),
        (ServedApi("chat", None, newer), {**chat, **settings, newer: _CHAT_TOKENS}),
        (ServedApi("chat", None, newer, takes_settings=False), {**chat, newer: _CHAT_TOKENS}),
    ]


def _read_completion(reply: Json) -> str | None:
    """How the log-probabilities of the prompt are told in a completion."""
    choice = first_choice(reply)
    if not isinstance(choice.get("text"), str):
        raise UnreadableError("no text")
    told = choice.get("logprobs")
    values = told.get("token_logprobs") if isinstance(told, dict) else None
    if isinstance(values, list) and len(values) >= _MORE_THAN_ONE:
        return "echo"
    return "prompt_logprobs" if isinstance(choice.get("prompt_logprobs"), list) else None


def _read_chat(reply: Json) -> None:
    if not isinstance(first_choice(reply).get("message"), dict):
        raise UnreadableError("no message")


def first_choice(reply: Json) -> dict[str, Any]:
    """The first choice of an answer.

    Raises:
        UnreadableError: it has none.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise UnreadableError("no choices")
    return choices[0]
