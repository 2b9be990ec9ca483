"""Asking a server many things at once: tried again while that may help, waited for, and given up when it is dead.

429, 503, a time-out          fewer requests at once; tried again, not before the server asks to be
no connection, 5xx            tried again, at growing intervals
an answer that is no JSON     tried again, twice
400, 413, 422                 this request is refused; the others go on
401, 403, 404                 no request would be answered: the server is given up
a minute without any answer   the same, unless it is at work: then it still lists its models
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from mplus_eval.data.hub import reason
from mplus_eval.servers.failures import OF_THIS_REQUEST, Patience, RequestFailed, ServerGoneError, UnreadableError
from mplus_eval.servers.gate import Gate
from mplus_eval.servers.usage import UsageTracker
from mplus_eval.servers.waiting import LONGEST_WAIT_SECONDS, asked_wait, may_pass

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Json = dict[str, Any]
Question = tuple[Json, Callable[[Json], T]]
"""The body of a request, and what reads the answer."""
MOST_BYTES = 64 * 2**20
"""Of one reply."""
_OVERLOADED = (429, 503)
_SHOWN_CHARACTERS = 120
_SHORTEST_KEY = 8


class ServerClient:
    """Asks one server; its requests share a gate, a patience and a count of what they spent."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        most: int = 32,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: of the server, as `http://HOST:PORT/v1`.
            key: sent along; empty for none.
            most: requests that may be under way at the same time.
            patience: when it is given up.
            clock: seconds, rising.
            sleep: waits so many seconds.
        """
        self.url, self.usage = url, UsageTracker()
        self.patience = patience or Patience()
        self.gate = Gate(most, clock, sleep)
        self._key, self._clock, self._sleep = key, clock, sleep
        self._runner = asyncio.Runner()
        self._http: httpx.AsyncClient | None = None
        first = self.patience.first_wait
        self._backoff = wait_exponential(multiplier=first, max=30) + wait_random(0, min(1.0, 2 * first))
        self._answered_at = 0.0
        self._last_failure: str | None = None
        self._n_failed_in_a_row = 0
        self._n_slow_in_a_row = 0
        self._is_gone = False

    def ask(self, path: str, questions: Sequence[Question[T]]) -> list[T | RequestFailed]:
        """Ask all of it, and return what was read of each answer, or why there is none, in order.

        Args:
            path: as `/completions`.
            questions: bodies of requests, each with what turns the JSON of its answer into what is wanted of it, or
                raises `UnreadableError`.

        Raises:
            ServerGoneError: the server answers none of them any more.
        """
        return self._run(self._ask_all(path, questions)) if questions else []

    def close(self) -> None:
        """Close connections."""
        if self._http is not None:
            self._run(self._http.aclose())
            self._http = None
        self._aside(self._runner.close)

    def without_key(self, text: str) -> str:
        """A text to be shown or stored, with the key blotted out should the server have repeated it."""
        # Shorter ones are stand-ins that local servers are given, as EMPTY or x, and may be part of any word.
        return text.replace(self._key, "***") if len(self._key) >= _SHORTEST_KEY else text

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self._aside(lambda: self._runner.run(doing))

    def _aside(self, doing: Callable[[], T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return doing()
        # A notebook has a loop running in this thread already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(doing).result()

    async def _ask_all(self, path: str, questions: Sequence[Question[T]]) -> list[T | RequestFailed]:
        self._heard()
        self._is_gone = False
        asking = asyncio.gather(*(self._ask(path, body, read) for body, read in questions))
        watching = asyncio.create_task(self._watch())
        try:
            either: list[asyncio.Future[Any]] = [asking, watching]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                watching.result()
            return await asking
        finally:
            for each in (asking, watching):
                each.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)

    async def _ask(self, path: str, body: Json, read: Callable[[Json], T]) -> T | RequestFailed:
        async def one_try() -> T:
            return await self._try(path, body, read)

        retrying = AsyncRetrying(
            stop=lambda state: state.attempt_number >= _failure(state).tries,
            wait=lambda state: max(self._backoff(state), _failure(state).wait or 0.0),
            retry=retry_if_exception(lambda error: isinstance(error, RequestFailed)),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async with self.gate.passage():
                if self._is_gone:
                    raise ServerGoneError("is given up")  # another request says why
                answer: T = await retrying(one_try)
        except RequestFailed as failure:
            failure.n_tries = retrying.statistics["attempt_number"]
            if failure.of_this_request:
                self._n_failed_in_a_row = 0
            else:
                self._n_failed_in_a_row += 1
                lasts = failure.status is not None and not 200 <= failure.status < 300 and not may_pass(failure.status)
                if lasts or self._n_failed_in_a_row >= self.patience.in_a_row:
                    raise self._given_up(str(failure)) from failure
            return failure
        self._n_failed_in_a_row = 0
        return answer

    async def _try(self, path: str, body: Json, read: Callable[[Json], T]) -> T:
        """Send once, when the server may be asked, and read the answer."""
        import httpx

        sent_at = await self.gate.opened()
        self.usage.sent()
        try:
            status, headers, content = await self._send(path, body)
        except httpx.TimeoutException:
            self.gate.overloaded(sent_at)
            self._n_slow_in_a_row += 1
            cause = f"did not answer within {self.patience.timeout:g} s"
            if self._n_slow_in_a_row >= self.patience.in_a_row:
                raise self._given_up(f"{cause}, {self._n_slow_in_a_row} requests in a row") from None
            raise RequestFailed(cause, tries=self.patience.slow_tries) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._last_failure = f"could not be reached ({self._shown(reason(error))})"
            raise RequestFailed(self._last_failure, tries=self.patience.tries) from error
        wait = asked_wait(headers, limited=status == 429)
        if not 200 <= status < 300:
            raise self._refused(status, content, wait, sent_at)
        if wait:
            self.gate.close(min(wait, LONGEST_WAIT_SECONDS))
        self._heard()
        self.gate.kept_up()
        return self._read(content, read)

    async def _send(self, path: str, body: Json) -> tuple[int, Mapping[str, str], bytes]:
        import httpx

        # Halves of surrogate pairs are escaped, which UTF-8 could not hold.
        sent = json.dumps(body).encode("ascii")
        content = bytearray()
        async with self._connected().stream("POST", f"{self.url}{path}", content=sent) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise httpx.DecodingError(f"an answer of more than {MOST_BYTES // 2**20} MiB")
        return response.status_code, response.headers, bytes(content)

    def _connected(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._http = httpx.AsyncClient(
                headers={"Content-Type": "application/json", **key},
                timeout=httpx.Timeout(self.patience.timeout, connect=min(10.0, self.patience.timeout)),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=self.gate.most),
            )
        return self._http

    def _refused(self, status: int, content: bytes, wait: float | None, sent_at: float) -> RequestFailed:
        cause = f"answered {status} ({self._shown(_said(content))})"
        if status in OF_THIS_REQUEST:
            self._heard()
            return RequestFailed(cause, status=status)
        if status in _OVERLOADED:
            self.gate.overloaded(sent_at)
        if (wait or 0.0) > LONGEST_WAIT_SECONDS:
            # Nobody waits that long, and a try before it would be refused as well.
            raise self._given_up(f"{cause} and asks to wait {wait:.0f} s")
        if wait:
            # It is not dead, since it says when to come again.
            self.gate.close(wait)
            self._answered_at = max(self._answered_at, self._clock() + wait)
        else:
            self._last_failure = cause
        tries = self.patience.tries if may_pass(status) else 1
        return RequestFailed(cause, status=status, tries=tries, wait=wait)

    def _read(self, content: bytes, read: Callable[[Json], T]) -> T:
        try:
            # A server may repeat what it is sent, and what it says is stored.
            reply = json.loads(self.without_key(content.decode("utf-8")))
            if not isinstance(reply, dict):
                raise UnreadableError("no object")
            # Tokens are spent whatever the answer says.
            self._count(reply.get("usage"))
            return read(reply)
        # Python's own JSON goes into what is nested only so deep.
        except (ValueError, RecursionError) as error:
            why = f"{error}: " if isinstance(error, UnreadableError) else ""
            text = self._shown(content.decode("utf-8", "replace"))
            cause = f"answered what is no completion ({why}{text})"
            raise RequestFailed(cause, status=200, tries=self.patience.slow_tries) from error

    def _count(self, usage: object) -> None:
        told = usage if isinstance(usage, dict) else {}
        counts = [told.get(name) for name in ("prompt_tokens", "completion_tokens")]
        tokens_in, tokens_out = (count if type(count) is int and count >= 0 else None for count in counts)
        self.usage.replied(tokens_in, tokens_out)

    async def _watch(self) -> None:
        """Raise when nothing was answered for too long."""
        while True:
            await asyncio.sleep(min(1.0, self.patience.silence / 10))
            if self._clock() - self._answered_at < self.patience.silence:
                continue
            if self._last_failure is None and await self._is_at_work():
                self._answered_at = self._clock()
                continue
            why = f": it {self._last_failure}" if self._last_failure else ""
            raise self._given_up(f"has not answered for {self.patience.silence:g} s{why}")

    async def _is_at_work(self) -> bool:
        """Whether a server that answers nothing else still lists its models."""
        import httpx

        try:
            reply = await self._connected().get(f"{self.url}/models", timeout=min(10.0, self.patience.silence))
        except httpx.HTTPError:
            return False
        return reply.status_code < 500

    def _given_up(self, why: str) -> ServerGoneError:
        """The error that ends the asking; requests that wait are not sent any more."""
        self._is_gone = True
        return ServerGoneError(why)

    def _heard(self) -> None:
        self._answered_at = max(self._answered_at, self._clock())
        self._last_failure = None
        self._n_slow_in_a_row = 0

    def _shown(self, text: str) -> str:
        """The beginning of a text in one short line, without the key."""
        line = " ".join(self.without_key(text).encode("utf-8", "replace").decode("utf-8").split())
        return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"


def _failure(state: RetryCallState) -> RequestFailed:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, RequestFailed)
    return error


def _said(content: bytes) -> str:
    """What a refusal says, of any server."""
    text = content.decode("utf-8", "replace")
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(reply, dict):
        reply = reply.get("error") or reply.get("message") or reply.get("detail") or reply
    if isinstance(reply, dict):
        reply = reply.get("message") or reply
    return str(reply)
