"""How a request and a server fail, and when each is given up."""

from __future__ import annotations

from dataclasses import dataclass

OF_THIS_REQUEST = (400, 413, 422)
"""Statuses that refuse what one request asks, and say nothing of the next."""


@dataclass(frozen=True)
class Patience:
    """When a request, and when a server, is given up.

    Attributes:
        timeout: seconds for one answer.
        silence: seconds without any answer, after which a server is taken for dead.
        tries: of a request that fails in passing.
        slow_tries: of one that timed out or was answered with what cannot be read.
        in_a_row: requests without an answer after all tries, or time-outs, one after the other.
        first_wait: seconds before the second try; doubled from try to try.
    """

    timeout: float = 300.0
    silence: float = 60.0
    tries: int = 8
    slow_tries: int = 3
    in_a_row: int = 10
    first_wait: float = 0.5


class RequestFailed(Exception):  # noqa: N818 - it is also returned, as what became of a request
    """One request has no answer."""

    def __init__(self, cause: str, *, status: int | None = None, tries: int = 1, wait: float | None = None) -> None:
        """Keep what went wrong.

        Args:
            cause: what the server did, as a half sentence.
            status: the HTTP status, where there was a reply.
            tries: how often it may be tried in all.
            wait: seconds that the server asks to wait before the next try.
        """
        super().__init__(cause)
        self.cause = cause
        self.status = status
        self.tries = tries
        self.wait = wait
        self.n_tries = 1
        """How often it was tried."""

    @property
    def of_this_request(self) -> bool:
        """Whether it was refused for what it asks, so that it would be again."""
        return self.status in OF_THIS_REQUEST

    def __str__(self) -> str:
        """With the number of tries."""
        return self.cause + (f", {self.n_tries} times" if self.n_tries > 1 else "")


class ServerGoneError(Exception):
    """A server answers nobody; says how."""


class UnreadableError(ValueError):
    """An answer is not what such an answer is; raised by whoever reads it."""
