"""One model over the whole suite: macro-average, alignment tax and the suite's verdict.

The macro-average is the plain mean over tasks. The alignment tax is what it lost against another model over the items
that both scored; its verdict is one test and stands outside the families of the tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Summary
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.difference import Difference, margin_of, needed, nothing_to_preserve
from mplus_eval.statistics.dunnett import dunnett
from mplus_eval.statistics.estimate import average
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference
from mplus_eval.statistics.pairing import ScoredItems
from mplus_eval.statistics.power import smallest_detectable, smallest_provable
from mplus_eval.statistics.scores import mean_score
from mplus_eval.statistics.verdict import p_of_gain, verdict


def macro_average(cells: Sequence[ScoredItems], iccs: Sequence[float], level: float) -> Summary:
    """The mean over tasks of one model's scores in [0, 1], with its interval.

    Args:
        cells: one a task.
        iccs: how alike items of a cluster are supposed to be, by task.
        level: the interval has confidence 1 − `level`.
    """
    scores = [mean_score(cell.scores, cell.design, icc=icc) for cell, icc in zip(cells, iccs, strict=True)]
    mean = average(scores)
    low, high = mean.interval(level)
    return Summary(macro_average=float(mean.value), ci=(float(low), float(high)), withheld=None)


@dataclass(frozen=True, eq=False)
class SuiteDifference:
    """What a model lost or gained over the suite against another, before any adjustment.

    Attributes:
        summary: the model's macro-average.
        change: the mean of the tasks' differences.
        p_value: two-sided, of the sign-flip permutation over the clusters of all tasks.
        margin: of the macro-average.
        idle: why the other has nothing to preserve; empty where it has.
        contributions: of every cluster to the change; shape (clusters,).
        n_items: of all tasks.
        with_failures: the same with the items that the model failed as its worst answers; None where there are none.
    """

    summary: Summary
    change: PairedDifference
    p_value: float
    margin: float
    idle: str
    contributions: Floats
    n_items: int
    with_failures: SuiteDifference | None = None

    @classmethod
    def of(
        cls,
        own: Summary,
        other: Summary,
        differences: Sequence[Difference],
        suite: Suite,
        *,
        chance: float,
        generator: np.random.Generator,
    ) -> Self:
        """Average the differences of the tasks.

        Args:
            own: the model's macro-average.
            other: that of the one it is held against.
            differences: one a task, scores in [0, 1] and higher is better.
            suite: its margin and level.
            chance: the macro-average that guessing would have.
            generator: source of randomness.
        """
        assert other.ci is not None
        low = other.ci[0]
        margin = margin_of(suite.margin, suite.retain, low, chance)
        idle = nothing_to_preserve(low, chance, margin)

        def averaged(parts: Sequence[Difference], worst: Self | None) -> Self:
            shares = contributions(parts)
            change, p_value = average([each.estimate for each in parts]), sign_flip(shares, generator).p_value
            n_items = sum(each.design.n_items for each in parts)
            return cls(own, change, p_value, margin, idle, shares, n_items, worst)

        counted = [each.with_failures or each for each in differences]
        failed = any(each.with_failures is not None for each in differences)
        return averaged(differences, averaged(counted, None) if failed else None)

    @property
    def p_non_inferiority(self) -> float:
        """One-sided, against a loss of the margin or more."""
        return float(non_inferiority(self.change, self.margin))

    def oriented(self, level: float) -> Interval:
        """The interval of the change, more is better."""
        low, high = self.change.interval(level)
        return float(low), float(high)

    def claimed(self, level: float) -> float:
        """The p-value of the change; a gain must stand with the model's failures counted against it too."""
        worst = self.with_failures
        if worst is None or not float(self.change.value) > 0:
            return self.p_value
        return p_of_gain(self.p_value, worst.p_value, worst.oriented(level)[0])

    @property
    def p_of_preserving(self) -> float:
        """The p-value against the margin, or the larger one with the model's failures counted against it."""
        worst = self.with_failures
        return self.p_non_inferiority if worst is None else max(self.p_non_inferiority, worst.p_non_inferiority)


def suite_verdicts(family: Sequence[Summary | SuiteDifference], level: float) -> list[Summary]:
    """The summaries of one model, or of several whose tests are adjusted together by Dunnett's procedure.

    Args:
        family: the change of each model, or its summary where there is none to judge.
        level: of the two-sided tests.
    """
    changes = {place: each for place, each in enumerate(family) if isinstance(each, SuiteDifference)}
    correlation = _smallest_correlation([each.contributions for each in changes.values()])
    p_values = dunnett({place: each.claimed(level) for place, each in changes.items()}, correlation)
    p_kept = dunnett({place: each.p_of_preserving for place, each in changes.items()}, correlation, two_sided=False)
    return [
        _judged(each, p_values[place], p_kept[place], level) if isinstance(each, SuiteDifference) else each
        for place, each in enumerate(family)
    ]


def _judged(found: SuiteDifference, p_value: float, p_kept: float, level: float) -> Summary:
    low, high = found.oriented(level)
    judged = verdict(float(found.change.value), p_value, p_kept, (low, high), level, informative=not found.idle)
    fields: Mapping[str, object] = {
        "alignment_tax": 0.0 - float(found.change.value),
        "alignment_tax_ci": (0.0 - high, 0.0 - low),
        "p_value": found.p_value,
        "p_adjusted": p_value,
        "p_non_inferiority": found.p_non_inferiority,
        "p_non_inferiority_adjusted": p_kept,
        "margin": found.margin,
        "smallest_detectable_difference": smallest_detectable(found.change, level),
        "smallest_provable_margin": smallest_provable(found.change, level),
        "items_to_settle": _items_to_settle(found, level) if judged == Verdict.UNDECIDED else None,
        "verdict": judged,
        "reasons": (found.idle,) if judged == Verdict.NOT_INFORMATIVE else (),
    }
    return found.summary.model_copy(update=fields)


def _items_to_settle(found: SuiteDifference, level: float) -> int | None:
    """Items of all tasks, in the proportions of those that there are; None if nobody knows."""
    pairs = needed(found.change, found.margin, level)
    return None if pairs is None else math.ceil(pairs * found.n_items / float(found.change.items))


def contributions(differences: Sequence[Difference]) -> Floats:
    """What every cluster of every task adds to the difference of the macro-averages; shape (clusters,)."""
    shares = [each.design.totals(each.values) / each.design.n_items for each in differences]
    return np.concatenate(shares) / len(differences)


def _smallest_correlation(changes: Sequence[Floats]) -> float:
    """The smallest correlation of two models' changes over the clusters; 0 where items failed and clusters differ.

    The larger it is, the less the adjustment asks, so the smallest errs on the safe side (Slepian 1962).
    """
    varied = [each for each in changes if np.any(each)]
    if len(varied) < max(len(changes), 2) or len({each.size for each in varied}) > 1:
        return 0.0
    return float(np.clip(np.corrcoef(varied).min(), 0.0, 1.0))
