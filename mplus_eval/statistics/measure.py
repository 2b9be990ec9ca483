"""What a task's value is, made of its items' scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """How a task's value is made of its items' scores.

    Attributes:
        kind: `mean`, the mean of scores; `rate`, the sum of losses over the sum of weights, such as bits over bytes;
            `perplexity`, the exponential of that.
        by_size: whether the subtasks of a task count by their items, rather than all alike.
    """

    kind: Literal["mean", "rate", "perplexity"] = "mean"
    by_size: bool = True

    @property
    def is_ratio(self) -> bool:
        """Whether scores are losses and the value a ratio of sums, of which changes are relative ones."""
        return self.kind != "mean"


MEAN = Measure()
