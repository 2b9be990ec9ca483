"""One question to a judge behind an endpoint: asked in the way that the server takes, and again when it fails.

Servers differ. Some hold a reply to a JSON Schema, some refuse the length limit in it, some refuse schemas; newer
models of OpenAI want `max_completion_tokens` and no temperature. None of this is announced, so until a first reply has
come every way is tried in turn while the server answers that it does not understand (400, 404, 422 or 501), and the
way that worked is kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from mplus_eval.judges.cache import JudgeVerdict
from mplus_eval.judges.endpoint import Endpoint
from mplus_eval.judges.errors import UnansweredError, UnreadableError, shown, unanswered
from mplus_eval.judges.parsing import read_choice
from mplus_eval.judges.prompt import JudgePrompt
from mplus_eval.judges.usage import UsageTracker

GIVE_UP_AFTER = 10
"""Questions in a row that a server left unanswered after all tries, until the rest are not asked any more."""
_BACKOFF = wait_random_exponential(multiplier=1, max=30)
_NOT_UNDERSTOOD = (400, 404, 422, 501)


@dataclass(frozen=True)
class Way:
    """A way to put a request, which a server takes or refuses."""

    structured: bool
    bounded: bool = False
    newer: bool = False
    """With OpenAI's newer names of parameters."""

    def request(self, prompt: JudgePrompt, max_tokens: int, temperature: float) -> dict[str, Any]:
        """The request's parameters, all but the model."""
        request: dict[str, Any] = {
            "messages": [{"role": "user", "content": prompt.text(structured=self.structured)}],
            "max_completion_tokens" if self.newer else "max_tokens": max_tokens,
        }
        if not self.newer:
            request["temperature"] = temperature
        if self.structured:
            schema = {"name": prompt.kind.name, "strict": True, "schema": prompt.kind.schema(bounded=self.bounded)}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request


_WAYS = tuple(
    Way(structured, bounded, newer)
    for newer in (False, True)
    for structured, bounded in ((True, True), (True, False), (False, False))
)


class JudgeClient:
    """Asks one endpoint; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, account: UsageTracker, sleep: Callable[[float], object] | None) -> None:
        """Connect; nothing is sent yet.

        Args:
            endpoint: whom to ask.
            account: where tokens are counted.
            sleep: waits between tries; None waits until `stopping` is set, at the latest.
        """
        self.stopping = threading.Event()
        """When it is set, nothing is tried again."""
        self._endpoint = endpoint
        self._account = account
        self._sleep = sleep or self.stopping.wait
        self._client = endpoint.connect()
        self._way: Way | None = None
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
            sleep=self._pause,
            reraise=True,
        )
        try:
            verdict = retrying(self._try, prompt, unreadable)
        except UnansweredError as error:
            self._note(failed=error.of_server)
            raise UnansweredError(self._told(error, retrying.statistics["attempt_number"])) from error
        self._note(failed=False)
        return verdict

    def _try(self, prompt: JudgePrompt, unreadable: list[UnreadableError]) -> JudgeVerdict:
        temperature = 0.7 if unreadable else 0.0
        try:
            if self._way is None:
                reply = self._search(prompt, temperature)
            else:
                plain = Way(structured=False, newer=self._way.newer)
                reply = self._send(prompt, plain if len(unreadable) > 1 else self._way, temperature)
            return self._read(prompt, reply)
        except UnreadableError as error:
            unreadable.append(error)
            raise

    def _search(self, prompt: JudgePrompt, temperature: float) -> dict[str, Any]:
        """Find the way that the server takes, by asking; the first refusal is told when it takes none."""
        refusals: list[UnansweredError] = []
        for way in _WAYS:
            try:
                reply = self._send(prompt, way, temperature)
            except UnansweredError as error:
                if error.status not in _NOT_UNDERSTOOD:
                    raise
                refusals.append(error)
            else:
                self._way = way
                return reply
        raise refusals[0]

    def _send(self, prompt: JudgePrompt, way: Way, temperature: float) -> dict[str, Any]:
        """Send one request; return the reply's JSON."""
        import openai

        self._account.sent()
        request = way.request(prompt, self._endpoint.max_tokens, temperature)
        try:
            raw = self._client.chat.completions.with_raw_response.create(model=self._endpoint.model, **request)
        except openai.APIError as error:
            raise unanswered(error, self._endpoint) from error
        text = raw.http_response.text
        try:
            reply = json.loads(text)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise UnreadableError(f"answered what is no completion ({shown(text, self._endpoint)})")
        return reply

    def _read(self, prompt: JudgePrompt, reply: dict[str, Any]) -> JudgeVerdict:
        tokens_in, tokens_out = _usage(reply)
        self._account.replied(tokens_in, tokens_out)
        text = _said(reply)
        choice = read_choice(text, prompt.kind)
        if choice is None:
            what = shown(text, self._endpoint)
            raise UnreadableError(f"gave no {prompt.kind.field} at the end of its reply ({what})")
        return JudgeVerdict(choice.value, self._endpoint.without_key(choice.reason), tokens_in or 0, tokens_out or 0)

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, UnansweredError) and error.passing and not self.stopping.is_set()

    def _told(self, error: UnansweredError, n_tries: int) -> str:
        return f"the judge {self._endpoint.model} {error.cause}" + (f", {n_tries} times" if n_tries > 1 else "")

    def _note(self, *, failed: bool) -> None:
        with self._counting:
            self._n_failed_in_a_row = self._n_failed_in_a_row + 1 if failed else 0


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: longer from try to try, and never shorter than the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, UnansweredError) else None
    return max(_BACKOFF(state), asked or 0.0)


def _said(reply: dict[str, Any]) -> str:
    """The text of a completion, fit to be stored: JSON allows halves of surrogate pairs, which no encoding has."""
    try:
        choice = reply["choices"][0]
        text, ended = choice["message"]["content"], choice.get("finish_reason")
    except (AttributeError, IndexError, KeyError, TypeError):
        raise UnreadableError("answered what is no completion") from None
    if not isinstance(text, str) or not text.strip():
        raise UnreadableError(f"said nothing (finish_reason {ended})")
    # What stands last in a reply that was cut may be a quotation; an object that is whole was not cut.
    if ended == "length" and not text.rstrip().endswith("}"):
        raise UnreadableError("came to no end within max_tokens")
    return text.encode("utf-8", "replace").decode("utf-8")


def _usage(reply: dict[str, Any]) -> tuple[int | None, int | None]:
    """Tokens of prompt and reply; None where the server does not say."""
    usage = reply.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    tokens_in, tokens_out = counts.get("prompt_tokens"), counts.get("completion_tokens")
    return tokens_in if type(tokens_in) is int else None, tokens_out if type(tokens_out) is int else None
