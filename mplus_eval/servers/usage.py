"""What asking a server costs: tokens, and money where the price is known."""

from __future__ import annotations

import threading
from dataclasses import astuple, dataclass, field

TOKENS = 10**6


@dataclass(frozen=True)
class Price:
    """Price of a million tokens, in whatever currency the caller counts."""

    per_million_in: float
    per_million_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """What tokens cost.

        >>> Price(2.5, 10.0).of(1_000_000, 100_000)
        3.5
        """
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / TOKENS


@dataclass(frozen=True)
class Spent:
    """What a stretch of asking took.

    Attributes:
        n_requests: that were sent, whatever came back.
        n_uncounted: replies whose server did not say how many tokens they took.
    """

    n_requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    n_uncounted: int = 0

    def __add__(self, other: Spent) -> Spent:
        """Both."""
        return Spent(*(own + others for own, others in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, earlier: Spent) -> Spent:
        """What was spent since."""
        return Spent(*(own - others for own, others in zip(astuple(self), astuple(earlier), strict=True)))


@dataclass
class UsageTracker:
    """What was spent so far, failed tries included; safe to add to from several threads."""

    price: Price | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    n_requests: int = 0
    """Requests that were sent, whatever came back."""
    n_cached: int = 0
    """Replies that were read from a cache."""
    n_uncounted: int = 0
    """Replies whose server did not say how many tokens they took."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def cost(self) -> float | None:
        """What was spent; None when no price is known."""
        return self.price.of(self.tokens_in, self.tokens_out) if self.price else None

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        with self._lock:
            return Spent(self.n_requests, self.tokens_in, self.tokens_out, self.n_uncounted)

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self.n_requests += 1

    def replied(self, tokens_in: int | None, tokens_out: int | None) -> None:
        """Count a reply."""
        with self._lock:
            self.tokens_in += tokens_in or 0
            self.tokens_out += tokens_out or 0
            self.n_uncounted += tokens_in is None or tokens_out is None

    def cached(self) -> None:
        """Count a reply of the cache."""
        with self._lock:
            self.n_cached += 1
