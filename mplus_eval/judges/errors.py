"""What can go wrong when a judge is asked, in one line each, and whether another try may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.data.hub import reason
from mplus_eval.judges.endpoint import Endpoint
from mplus_eval.servers.waiting import LONGEST_WAIT_SECONDS, asked_wait, may_pass

if TYPE_CHECKING:
    import openai

_OF_THIS_QUESTION = (400, 413, 422)
_SHOWN_CHARACTERS = 80


class UnansweredError(Exception):
    """A question to a judge brought no verdict."""

    def __init__(
        self, cause: str, *, passing: bool = False, retry_after: float | None = None, status: int | None = None
    ) -> None:
        """Keep what went wrong.

        Args:
            cause: what the judge did, as a half sentence.
            passing: whether another try may help.
            retry_after: seconds that the server asks to wait before it.
            status: the HTTP status, where there was a reply.
        """
        super().__init__(cause)
        self.cause = cause
        self.passing = passing
        self.retry_after = retry_after
        self.status = status
        self.of_server = status not in _OF_THIS_QUESTION
        """Whether the next question would meet it as well, unlike one that is too long for the judge."""


class UnreadableError(UnansweredError):
    """The judge replied, without a verdict at the end of its reply."""

    def __init__(self, cause: str) -> None:
        """Keep what it said instead; another try may help."""
        super().__init__(cause, passing=True)
        self.of_server = False


def unanswered(error: openai.APIError, endpoint: Endpoint) -> UnansweredError:
    """Tell what an error of the client means."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return UnansweredError(f"did not answer within {endpoint.timeout_seconds:g} s", passing=True)
    if isinstance(error, openai.APIStatusError):
        return _refused(error, endpoint)
    if isinstance(error, openai.APIConnectionError):
        root = error.__cause__ if isinstance(error.__cause__, Exception) else error
        return UnansweredError(f"could not be reached ({shown(reason(root), endpoint)})", passing=True)
    return UnansweredError(f"failed ({shown(reason(error), endpoint)})")


def shown(text: str, endpoint: Endpoint) -> str:
    """The end of a text in one short line, without the key; the end is where a verdict would stand."""
    line = " ".join(endpoint.without_key(text).split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"… {line[-_SHOWN_CHARACTERS:]}"


def _refused(error: openai.APIStatusError, endpoint: Endpoint) -> UnansweredError:
    status, body = error.status_code, error.body
    wait = asked_wait(error.response.headers, limited=status == 429)
    message = body.get("message") or body.get("detail") if isinstance(body, dict) else body
    cause = f"answered {status} ({shown(str(message or error.response.reason_phrase), endpoint)})"
    if (wait or 0.0) > LONGEST_WAIT_SECONDS:
        return UnansweredError(f"{cause} and asks to wait {wait:.0f} s", status=status)
    return UnansweredError(cause, passing=may_pass(status), retry_after=wait, status=status)
