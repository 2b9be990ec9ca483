"""The design effect of a sample that is not drawn yet: larger, or with a loss, than the one that was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.estimate import ICC, Estimate


@dataclass(frozen=True)
class PlannedEffect:
    """How the design effect of an estimate goes on as more items carry information (`estimate`).

    It is drawn up to an anchor where few clusters that differ can have been met; the less, the more items there are or
    the more of them a loss makes differ.

    Attributes:
        items: of the sample.
        own: the effect without the anchor: what was observed, 1 in the measure in which nothing was.
        anchor: the effect at the supposed correlation of a cluster's items.
        full: the effect of clusters whose items are all alike.
        unseen: how probable it is that such clusters were not met; 0 leaves the effect as it is.
    """

    items: float
    own: float
    anchor: float = 1.0
    full: float = 1.0
    unseen: float = 0.0

    @classmethod
    def of(cls, estimate: Estimate, design: Design | None = None, icc: float = ICC) -> Self:
        """The effect of one sample; as it is where its design is not given, as of an average over tasks."""
        items, effect = float(estimate.items), float(estimate.effect)
        if design is None:
            return cls(items, effect)
        anchor, unseen = 1.0 + icc * (design.full_effect - 1.0), float(estimate.unseen)
        # An effect above the anchor is the one observed.
        own = effect if effect > anchor * (1.0 + 1e-9) else effect - unseen * (anchor - 1.0)
        return cls(items, own, anchor, design.full_effect, unseen)

    def at(self, items: float, loss: float = 0.0) -> float:
        """The effect of so many items, of which a share `loss` differs besides."""
        unseen = self.unseen ** (items / self.items) * np.exp(-2.0 * items * loss / (self.full + self.anchor))
        return float(max(self.own + unseen * max(self.anchor - self.own, 0.0), 1.0 / items))

    def items_for(self, pairs: float) -> float:
        """How many items are worth so many independent pairs, where nothing more is lost; by bisection.

        Clusters count as no less alike than is supposed, as `preserved` has it.
        """
        short, enough = 0.0, pairs * max(self.own, self.anchor, 1.0)
        for _ in range(60):
            items = (short + enough) / 2.0
            worth = items > 0 and items / max(self.at(items), self.anchor if self.full > 1.0 else 0.0) >= pairs
            short, enough = (short, items) if worth else (items, enough)
        return enough
