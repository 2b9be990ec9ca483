"""Simulated texts of two models: lengths, losses, and changes of kinds that a ratio measure may meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.hypothesis_tests import Significance
from mplus_eval.statistics.ratio import RatioDifference
from mplus_eval.statistics.texts import Texts

KINDS = ("normal", "heavy tails", "skewed", "longer, worse")
"""A text's own change is normal, or of Student's t with 3 degrees of freedom, or exponential with the tail among the
losses; or it grows with the text's length."""
BITS_PER_BYTE = 0.9
MEDIAN_BYTES = 4_000
CHANGE_SD = 0.02
"""Standard deviation over texts of the change, in bits per byte."""


@dataclass(frozen=True)
class Drawn:
    """Texts, and the losses of both models, shape (texts,)."""

    texts: Texts
    before: Floats
    after: Floats

    def difference(self, margin: float) -> RatioDifference:
        """Their difference without its test, which is slow where there are many."""
        return RatioDifference(self.before, self.after, self.texts, -1, "none", Significance(1.0), margin)


def draw_texts(
    kind: str, n: int, spread: float, change: float, rng: np.random.Generator, *, exponential: bool
) -> Drawn:
    """Draw texts of two models.

    Args:
        kind: one of `KINDS`.
        n: how many texts.
        spread: standard deviation of the logarithm of their lengths.
        change: true relative change of the value.
        rng: source of randomness.
        exponential: whether the value is a perplexity.
    """
    scale = rng.normal(size=n)
    weights = np.round(MEDIAN_BYTES * np.exp(spread * scale)) + 20
    own = {
        "normal": lambda: rng.normal(size=n),
        "heavy tails": lambda: rng.standard_t(3, size=n) / np.sqrt(3),
        "skewed": lambda: rng.exponential(size=n) - 1,
        # Over bytes the logarithm of a length lies, in the mean, `spread` deviations above where it lies over texts.
        "longer, worse": lambda: (rng.normal(size=n) + scale - spread) / np.sqrt(2),
    }[kind]()
    before = weights * BITS_PER_BYTE * rng.gamma(20, 1 / 20, size=n)
    mean = float(np.log1p(change)) if exponential else change * BITS_PER_BYTE
    texts = Texts.of(weights, np.zeros(n), exponential=exponential)
    return Drawn(texts, before, before + weights * (mean + CHANGE_SD * own))
