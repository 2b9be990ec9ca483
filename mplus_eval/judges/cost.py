"""What judging will cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CostEstimate:
    """What judging will roughly cost, before it starts."""

    n_requests: int
    n_cached: int
    """Verdicts that are known already and cost nothing."""
    tokens_in: int
    tokens_out: int
    cost: float | None
    """None when no price is known."""
