"""A decision that may be taken at any time: looks at the growing items of a task, and the verdicts that they allow.

Half of the level is for looking, however often; the other half is kept for the ordinary tests once all items are
there, so that a task that is too small to stop early loses little power. The p-values of a look are valid whenever the
asking stops, so they are adjusted over the tasks as any others (Holm's). The interval is the same statement turned
round and never contradicts them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.adjust import holm
from mplus_eval.statistics.betting import betting_interval, log_wealth
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.mixture_boundary import mixture_boundary, mixture_p_value, tuning
from mplus_eval.statistics.score_interval import score_interval, score_statistic
from mplus_eval.statistics.verdict import verdict

Key = TypeVar("Key", bound=Hashable)

LOOKING = 0.5
"""The share of the level that is spent on looks; the rest is for the tests at the end."""
START_ITEMS, START_CLUSTERS, START_DIFFERING, START_MARGIN = 100, 30, 5, 4.0
"""The boundary holds for large samples: it is silent below so many items and clusters, on a difference below so many
items that differ, and on a loss of the margin while fewer items than the last would have been lost by it."""
_CLEARLY = 1.6448536269514722
"""Normal quantile of 0.95."""


@dataclass(frozen=True)
class Look:
    """What the items so far say of one task; every field is an array of one shape, () for a single sample.

    Attributes:
        value: the observed difference, oriented so that more is better.
        p_difference: two-sided, against no difference.
        p_non_inferiority: one-sided, against a loss of the margin or more.
        low: lower end of the confidence sequence.
        high: its upper end.
        half_margin: standard errors above a loss of half the margin.
    """

    value: Floats
    p_difference: Floats
    p_non_inferiority: Floats
    low: Floats
    high: Floats
    half_margin: Floats

    @classmethod
    def silent(cls, value: ArrayLike, half_margin: ArrayLike) -> Look:
        """A look that says nothing but what was observed: of what is asked once, and judged at its end."""
        found, infinite = np.asarray(value, dtype=float), np.full(np.shape(value), np.inf)
        nothing = np.ones_like(found)
        return cls(found, nothing, nothing, -infinite, infinite, np.asarray(half_margin, dtype=float))

    def with_end(
        self,
        p_difference: ArrayLike,
        p_non_inferiority: ArrayLike,
        interval: tuple[ArrayLike, ArrayLike],
        kept: float = 1.0 - LOOKING,
    ) -> Look:
        """The look at all items, with the tests for which the rest of the level was kept.

        Args:
            p_difference: two-sided; not below `level` where the interval of confidence 1 − `level` holds 0.
            p_non_inferiority: one-sided.
            interval: of confidence 1 − `level` · `kept`.
            kept: the share of the level that is left for them.
        """
        return replace(
            self,
            p_difference=np.minimum(self.p_difference, np.minimum(np.asarray(p_difference) / kept, 1.0)),
            p_non_inferiority=np.minimum(self.p_non_inferiority, np.minimum(np.asarray(p_non_inferiority) / kept, 1.0)),
            low=np.maximum(self.low, interval[0]),
            high=np.minimum(self.high, interval[1]),
        )


def plain_look(gained: ArrayLike, lost: ArrayLike, n_items: ArrayLike, margin: float, level: float) -> Look:
    """Look at independent items scored 0 or 1: exact, at any number of items (`betting`).

    Args:
        gained: items whose score rose; shapes broadcast.
        lost: items whose score fell.
        n_items: all items, one at least.
        margin: of non-inferiority.
        level: two-sided, of the interval.
    """
    up, down, n = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (gained, lost, n_items)))
    p_difference, p_non_inferiority = plain_p_values(up, down, n, margin)
    low, high = betting_interval(up, down, n, LOOKING * level)
    return Look(
        value=(up - down) / n,
        p_difference=p_difference,
        p_non_inferiority=p_non_inferiority,
        low=low,
        high=high,
        half_margin=score_statistic(-margin / 2.0, up / n, down / n, n),
    )


def plain_p_values(gained: ArrayLike, lost: ArrayLike, n_items: ArrayLike, margin: float) -> tuple[Floats, Floats]:
    """The p-values of `plain_look`: two-sided against no difference, one-sided against a loss of the margin."""
    better, worse = log_wealth(0.0, gained, lost, n_items), log_wealth(0.0, lost, gained, n_items)
    kept = log_wealth(-margin, gained, lost, n_items)
    return (
        np.minimum(2.0 / LOOKING * np.exp(-np.maximum(better, worse)), 1.0),
        np.minimum(np.exp(-kept) / LOOKING, 1.0),
    )


@dataclass(frozen=True)
class Progress:
    """How far the asking of a task has come; arrays of one shape.

    Attributes:
        share: of the planned information: items over all items.
        n_items: items that both models scored.
        n_clusters: clusters of them.
        n_differing: items on which the models differ.
    """

    share: ArrayLike
    n_items: ArrayLike
    n_clusters: ArrayLike
    n_differing: ArrayLike


def boundary_look(
    up: ArrayLike,
    down: ArrayLike,
    effective_size: ArrayLike,
    df: ArrayLike,
    progress: Progress,
    margin: float,
    level: float,
    n_tests: int = 1,
    cautious_size: ArrayLike | None = None,
) -> Look:
    """Look at strata, clusters, graded scores or a suite: the score statistic against the mixture boundary.

    Args:
        up: mean rise; shapes broadcast.
        down: mean fall.
        effective_size: how many independent items they are worth.
        df: degrees of freedom; Student's tail probabilities stand for the normal ones.
        progress: how far the asking has come.
        margin: of non-inferiority.
        level: two-sided, of the interval.
        n_tests: tasks that are looked at together; the boundary is tuned for their share of the level.
        cautious_size: what they are worth where a loss of the margin is to be excluded; the same when None.
    """
    from scipy.stats import t

    u, w, size, freedom = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (up, down, effective_size, df)))
    cautious = size if cautious_size is None else np.asarray(cautious_size, dtype=float)
    known = np.maximum(freedom, 1e-9)
    evidence = Evidence(
        value=u - w,
        is_known=freedom > 0,
        tail=lambda side, difference: t.sf(
            side * score_statistic(difference, u, w, cautious if difference == -margin else size), known
        ),
        interval=lambda spent: score_interval(u, w, size, t.isf(spent / 2.0, known)),
        half_margin=score_statistic(-margin / 2.0, u, w, size),
    )
    return look_through_boundary(evidence, progress, margin, level, n_tests)


@dataclass(frozen=True)
class Evidence:
    """What an ordinary analysis says of a difference, whose tail probabilities the boundary asks more of.

    Attributes:
        value: the observed difference, oriented so that more is better.
        is_known: whether anything is known of its error.
        tail: by side and difference, the one-sided p-value that the true one lies above it (1) or below (−1).
        interval: by level, the two-sided interval.
        half_margin: standard errors above a loss of half the margin.
        ends: the smallest and the largest difference that there can be.
    """

    value: Floats
    is_known: ArrayLike
    tail: Callable[[int, float], ArrayLike]
    interval: Callable[[Floats], tuple[ArrayLike, ArrayLike]]
    half_margin: Floats
    ends: tuple[float, float] = (-1.0, 1.0)


def look_through_boundary(
    evidence: Evidence, progress: Progress, margin: float, level: float, n_tests: int = 1
) -> Look:
    """Look at an ordinary analysis through the mixture boundary; arguments as of `boundary_look`."""
    from scipy.stats import norm

    share, n, n_clusters, n_differing = (
        np.asarray(x, dtype=float)
        for x in (progress.share, progress.n_items, progress.n_clusters, progress.n_differing)
    )
    rho = tuning(LOOKING * level / 2.0 / n_tests)

    def p_value(side: int, difference: float) -> Floats:
        tail = np.asarray(evidence.tail(side, difference), dtype=float)
        return mixture_p_value(norm.isf(tail), share, rho) / LOOKING

    # Twice the normal tail beyond the boundary: Student's, and others, at the same probability.
    spent = 2.0 * norm.sf(mixture_boundary(share, LOOKING * level / 2.0, rho))
    low, high = (np.asarray(end, dtype=float) for end in evidence.interval(np.asarray(spent)))
    speaks = (n >= START_ITEMS) & (n_clusters >= START_CLUSTERS) & np.asarray(evidence.is_known)
    on_difference, on_margin = speaks & (n_differing >= START_DIFFERING), speaks & (n * margin >= START_MARGIN)
    low = np.where(on_difference, low, np.minimum(low, 0.0))
    low = np.where(on_margin, low, np.minimum(low, -margin))
    high = np.where(on_difference, high, np.maximum(high, 0.0))
    return Look(
        value=evidence.value,
        p_difference=np.where(on_difference, np.minimum(2.0 * np.minimum(p_value(1, 0.0), p_value(-1, 0.0)), 1.0), 1.0),
        p_non_inferiority=np.where(on_margin, np.minimum(p_value(1, -margin), 1.0), 1.0),
        low=np.where(speaks, low, evidence.ends[0]),
        high=np.where(speaks, high, evidence.ends[1]),
        half_margin=evidence.half_margin,
    )


@dataclass(frozen=True)
class Decision:
    """What one look at a task, or the last one, decides: adjusted p-values, verdict, and whether asking may stop."""

    look: Look
    p_adjusted: float
    p_non_inferiority_adjusted: float
    verdict: Verdict
    is_settled: bool


def decide(
    looks: Mapping[Key, Look],
    settled: Mapping[Key, Decision],
    margins: Mapping[Key, float],
    level: float,
    idle: Collection[Key] = (),
) -> dict[Key, Decision]:
    """Judge the tasks of one model at a look; what is settled stays as it was.

    Each of the two families is Holm-adjusted over all tasks, settled ones with what they had when they were.

    Args:
        looks: the last at every task that is not settled.
        settled: the others.
        margins: of the first, in the unit of their looks.
        level: two-sided.
        idle: those on which there is nothing to preserve.
    """
    every = {**{key: each.look for key, each in settled.items()}, **looks}
    p_adjusted = holm({key: float(look.p_difference) for key, look in every.items()})
    p_kept = holm({key: float(look.p_non_inferiority) for key, look in every.items()})
    judged = {
        key: decision_of(look, p_adjusted[key], p_kept[key], margins[key], level, informative=key not in idle)
        for key, look in looks.items()
    }
    return {**settled, **judged}


def decision_of(
    look: Look,
    p_difference: float,
    p_non_inferiority: float,
    margin: float,
    level: float,
    *,
    informative: bool = True,
) -> Decision:
    """The verdict that adjusted p-values allow, and whether more items are needed for it.

    `improved` and `preserved` end the asking. `degraded` does where the loss is not plausibly inside the margin: the
    observed one is as large, or half of the margin lies above an ordinary one-sided 95 % interval. Otherwise a small
    loss would be called what it was found as first, where more items would have shown that it is preserved. When to
    stop is no claim, so it needs no guarantee. `not informative` ends nothing: more items may show that the baseline
    stands above chance.
    """
    interval = float(look.low), float(look.high)
    found = verdict(float(look.value), p_difference, p_non_inferiority, interval, level, informative=informative)
    is_settled = found in (Verdict.IMPROVED, Verdict.PRESERVED) or (
        found is Verdict.DEGRADED and bool(is_clear_loss(look, margin))
    )
    return Decision(look, p_difference, p_non_inferiority, found, is_settled)


def is_clear_loss(look: Look, margin: float) -> Floats:
    """Whether a loss is not plausibly inside the margin; boolean, of the look's shape."""
    return np.asarray((look.value <= -margin) | (look.half_margin < -_CLEARLY))
