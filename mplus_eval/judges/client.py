"""One question to a judge behind an endpoint: asked in the format that the server takes, and again when it fails.

Servers differ. Some hold a reply to a JSON Schema, some refuse the length limit in it, some refuse schemas; newer
models of OpenAI want `max_completion_tokens` and no temperature. None of this is announced, so until a first reply has
come every format is tried in turn while the server answers that it does not understand (400, 404, 422 or 501), and the
format that worked is kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    wait_random_exponential,
)

from mplus_eval.judges.cache import JudgeVerdict
from mplus_eval.judges.endpoint import Endpoint
from mplus_eval.judges.errors import UnansweredError, UnreadableError, shown, unanswered
from mplus_eval.judges.parsing import NoChoice, read_choice
from mplus_eval.judges.prompt import JudgePrompt
from mplus_eval.servers.usage import UsageTracker

GIVE_UP_AFTER = 10
"""Questions in a row that a server left unanswered after all tries, until the rest are not asked any more."""
_BACKOFF = wait_random_exponential(multiplier=1, max=30)
_NOT_UNDERSTOOD = (400, 404, 422, 501)


@dataclass(frozen=True)
class RequestFormat:
    """A format of requests, which a server takes or refuses."""

    structured: bool
    bounded: bool = False
    newer: bool = False
    """With OpenAI's newer names of parameters."""


_FORMATS = tuple(
    RequestFormat(structured, bounded, newer)
    for newer in (False, True)
    for structured, bounded in ((True, True), (True, False), (False, False))
)


class JudgeClient:
    """Asks one endpoint; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, usage: UsageTracker, sleep: Callable[[float], None] | None) -> None:
        """Connect; nothing is sent yet.

        Args:
            endpoint: whom to ask.
            usage: where tokens are counted.
            sleep: waits between tries; None waits until `stopping` is set, at the latest.
        """
        self.stopping = threading.Event()
        """When it is set, nothing is tried again."""
        self._endpoint = endpoint
        self._usage = usage
        self._sleep = sleep or sleep_using_event(self.stopping)
        self._client = endpoint.connect()
        self._format: RequestFormat | None = None
        self._n_failed_in_a_row = 0
        self._counting = threading.Lock()

    def ask(self, prompt: JudgePrompt) -> JudgeVerdict:
        """Ask until there is a verdict or the tries are used up.

        A try after an unreadable reply is a little random (temperature 0.7), since the same question would bring the
        same reply; from the third on it is put in plain text.

        Raises:
            UnansweredError: when there is none; says why, and after how many tries.
        """
        if self.stopping.is_set():
            raise UnansweredError("not asked, since the run was stopped")
        if self._n_failed_in_a_row >= GIVE_UP_AFTER:
            raise UnansweredError(f"not asked, since {GIVE_UP_AFTER} questions in a row had failed")
        unreadable: list[UnreadableError] = []
        retrying = Retrying(
            stop=stop_after_attempt(self._endpoint.tries),
            wait=_wait,
            retry=retry_if_exception(self._may_pass),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            verdict = retrying(self._try, prompt, unreadable)
        except UnansweredError as error:
            self._note(failed=error.of_server)
            n_tries = retrying.statistics["attempt_number"]
            cause = f"the judge {self._endpoint.model} {error.cause}" + (f", {n_tries} times" if n_tries > 1 else "")
            raise UnansweredError(cause) from error
        self._note(failed=False)
        return verdict

    def _try(self, prompt: JudgePrompt, unreadable: list[UnreadableError]) -> JudgeVerdict:
        """Ask once; a reply without a verdict is added to those that could not be read."""
        temperature = 0.7 if unreadable else 0.0
        try:
            if self._format is None:
                reply = self._find_format(prompt, temperature)
            elif len(unreadable) > 1:
                reply = self._send(prompt, RequestFormat(structured=False, newer=self._format.newer), temperature)
            else:
                reply = self._send(prompt, self._format, temperature)
            # Tokens are spent whatever the reply says, if the server tells how many.
            usage = reply["usage"] if isinstance(reply.get("usage"), dict) else {}
            counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
            tokens_in, tokens_out = (count if type(count) is int else None for count in counts)
            self._usage.replied(tokens_in, tokens_out)
            text = _completion(reply)
            choice = read_choice(text, prompt.kind)
            if isinstance(choice, NoChoice):
                raise UnreadableError(f"{choice.cause} ({shown(text, self._endpoint)})")
        except UnreadableError as error:
            unreadable.append(error)
            raise
        return JudgeVerdict(choice.value, self._endpoint.without_key(choice.reason), tokens_in or 0, tokens_out or 0)

    def _find_format(self, prompt: JudgePrompt, temperature: float) -> dict[str, Any]:
        """Find the format that the server takes, by asking; the first refusal is told when it takes none."""
        refusals: list[UnansweredError] = []
        for request_format in _FORMATS:
            try:
                reply = self._send(prompt, request_format, temperature)
            except UnansweredError as error:
                if error.status not in _NOT_UNDERSTOOD:
                    raise
                refusals.append(error)
            else:
                self._format = request_format
                return reply
        raise refusals[0]

    def _send(self, prompt: JudgePrompt, request_format: RequestFormat, temperature: float) -> dict[str, Any]:
        """Send one request; return the reply's JSON."""
        import openai

        structured, newer = request_format.structured, request_format.newer
        request: dict[str, Any] = {
            "messages": [{"role": "user", "content": prompt.text(structured=structured)}],
            "max_completion_tokens" if newer else "max_tokens": self._endpoint.max_tokens,
        }
        if not newer:
            request["temperature"] = temperature
        if structured:
            schema = prompt.kind.schema(bounded=request_format.bounded)
            json_schema = {"name": prompt.kind.name, "strict": True, "schema": schema}
            request["response_format"] = {"type": "json_schema", "json_schema": json_schema}
        self._usage.sent()
        try:
            raw = self._client.chat.completions.with_raw_response.create(model=self._endpoint.model, **request)
        except openai.APIError as error:
            raise unanswered(error, self._endpoint) from error
        text = raw.http_response.text
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise UnreadableError(f"answered what is no completion ({shown(text, self._endpoint)})")
        return reply

    def _may_pass(self, error: BaseException) -> bool:
        """Whether to try again."""
        return isinstance(error, UnansweredError) and error.passing and not self.stopping.is_set()

    def _note(self, *, failed: bool) -> None:
        with self._counting:
            self._n_failed_in_a_row = self._n_failed_in_a_row + 1 if failed else 0


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: longer from try to try, and never shorter than the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, UnansweredError) else None
    return max(_BACKOFF(state), asked or 0.0)


def _completion(reply: dict[str, Any]) -> str:
    """The text of a completion, fit to be stored: JSON allows halves of surrogate pairs, which no encoding has."""
    try:
        choice = reply["choices"][0]
        text, ended = choice["message"]["content"], choice.get("finish_reason")
    except (AttributeError, IndexError, KeyError, TypeError):
        raise UnreadableError("answered what is no completion") from None
    if not isinstance(text, str) or not text.strip():
        raise UnreadableError(f"said nothing (finish_reason {ended})")
    # What stands last in a reply that was cut may be a quotation; an object that is whole was not cut.
    if ended == "length" and not (text.lstrip().startswith("{") and text.rstrip().endswith("}")):
        raise UnreadableError("came to no end within max_tokens")
    return text.encode("utf-8", "replace").decode("utf-8")
