"""What a model said once to a prompt, and how likely it and the baseline think that."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Likelihood:
    """The log-probability of a continuation, in nats, summed over its tokens."""

    total: float
    n_tokens: int


@dataclass(frozen=True)
class Continuation:
    """What a model said once to a prompt; None is what is not known.

    Attributes:
        prompt: as the user put it, without a chat template.
        n_tokens: tokens said, without the one that ends the turn.
        ended: whether it ended its turn by itself.
        truncated: whether it was stopped by the token limit.
        own: its likelihood under the model that said it.
        baseline: the same under the baseline, over the same tokens.
        ran_on: whether it went on to speak for another, which was cut.
    """

    prompt: str
    text: str
    n_tokens: int | None = None
    ended: bool | None = None
    truncated: bool | None = None
    own: Likelihood | None = None
    baseline: Likelihood | None = None
    ran_on: bool | None = None

    @property
    def judged(self) -> Likelihood | None:
        """Its likelihood under the baseline, where it is a text of more than whitespace."""
        return self.baseline if self.baseline and self.baseline.n_tokens and self.text.strip() else None

    @property
    def overflows(self) -> bool:
        """Whether its perplexity under the baseline is no finite number."""
        judged = self.judged
        return judged is not None and math.isinf(perplexity_of(-judged.total / judged.n_tokens))


def perplexity_of(loss: float) -> float:
    """The exponential of a loss in nats a token; infinite where it overflows, or where the loss is not finite."""
    try:
        return math.exp(loss) if math.isfinite(loss) else math.inf
    except OverflowError:
        return math.inf
