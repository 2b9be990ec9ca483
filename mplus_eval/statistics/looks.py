"""One look at a difference of two models on the items so far, valid however often it is looked at.

Where items stand alone and are right or wrong the look is exact. Strata change nothing about that where they are met in
proportion: what a bet makes of items of different chances is a product, no larger than that of equal ones. Clusters,
graded scores, ratio measures and the suite are looked at through the mixture boundary. What a model failed to answer
counts against a gain and against `preserved`, as it does where all items are asked at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mplus_eval.records.base import Interval
from mplus_eval.statistics.contrast import AnyDifference
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.difference import MCNEMAR, Difference
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference
from mplus_eval.statistics.ratio import LARGEST, RatioDifference
from mplus_eval.statistics.score_interval import score_statistic
from mplus_eval.statistics.sequential import (
    LOOKING,
    Evidence,
    Look,
    Progress,
    boundary_look,
    look_through_boundary,
    plain_look,
)
from mplus_eval.statistics.texts import LogEstimate
from mplus_eval.statistics.verdict import p_of_gain

BETTING, BOUNDARY = "betting, at every look", "mixture boundary, at every look"


def name_of_test(difference: AnyDifference, *, is_whole: bool, at_once: bool = False) -> str:
    """What a look rests on; with all items there, the test at the end as well, and alone where it is the only look."""
    if at_once:
        return difference.test
    name = BETTING if difference.test == MCNEMAR else BOUNDARY
    return f"{name}; {difference.test} at the end" if is_whole else name


def difference_look(
    difference: AnyDifference, share: float, level: float, n_tests: int, *, at_once: bool = False
) -> Look:
    """Look at one task, in the scale's unit (of ratio measures, on the logarithm) and with more as better.

    Args:
        difference: on the items so far.
        share: of the task's items that have been asked; with 1 the tests of all items are there too.
        level: two-sided, of the interval.
        n_tests: tasks that are looked at together.
        at_once: whether all items were asked in one round: nothing is spent on looks then.
    """
    if isinstance(difference, RatioDifference):
        return _ratio_look(difference, share, level, n_tests, at_once)
    look = _scored_look(difference, share, level, n_tests, at_once)
    worst = difference.with_failures
    return look if worst is None else counted_against(look, _scored_look(worst, share, level, n_tests, at_once))


def margin_of_look(difference: AnyDifference) -> float:
    """The margin in the unit of a look."""
    if isinstance(difference, RatioDifference):
        return float(np.log1p(difference.margin))
    return difference.margin / difference.scale.width


def told_interval(difference: AnyDifference, look: Look) -> Interval:
    """The interval of a look in the task's own unit and direction."""
    low, high = sorted(difference.sign * float(end) for end in (look.low, look.high))
    if isinstance(difference, RatioDifference):
        return float(np.expm1(low)), float(np.minimum(np.expm1(high), LARGEST))
    return low * difference.scale.width, high * difference.scale.width


def told_margin(difference: AnyDifference, look: Look) -> float:
    """The smallest margin that a look rules out, in the task's own unit."""
    loss = max(-float(look.low), 0.0)
    if isinstance(difference, RatioDifference):
        return float(np.minimum(np.expm1(loss), LARGEST))
    return loss * difference.scale.width


def counted_against(look: Look, with_failures: Look) -> Look:
    """A look whose gain and non-inferiority hold with the model's failures as its worst answers, too."""
    p_difference = look.p_difference
    if look.value > 0:
        p_difference = np.asarray(
            p_of_gain(float(p_difference), float(with_failures.p_difference), float(with_failures.low))
        )
    p_kept = np.maximum(look.p_non_inferiority, with_failures.p_non_inferiority)
    return replace(look, p_difference=p_difference, p_non_inferiority=p_kept)


def ended(
    look: Look, found: PairedDifference, p_value: float, margin: float, level: float, kept: float = 1.0 - LOOKING
) -> Look:
    """The look at all items: with the ordinary tests and the ordinary interval at the rest of the level.

    Args:
        look: by looking alone.
        found: the difference over all items.
        p_value: of the test of a difference, two-sided; it counts as far as the interval agrees.
        margin: of non-inferiority.
        level: two-sided, of the interval.
        kept: the share of the level that is left for them.
    """
    distance = score_statistic(0.0, found.up, found.down, found.effective_size)
    p_difference = np.maximum(p_value, _two_sided(distance, found.df))
    return look.with_end(p_difference, non_inferiority(found, margin), found.interval(level * kept), kept)


def _scored_look(difference: Difference, share: float, level: float, n_tests: int, at_once: bool) -> Look:
    values, design, found = difference.values, difference.design, difference.estimate
    margin = margin_of_look(difference)
    if at_once:
        return ended(silent_look(found, margin), found, difference.p_value, margin, level, kept=1.0)
    if difference.test == MCNEMAR:
        look = plain_look(np.sum(values > 0), np.sum(values < 0), values.size, margin, level)
    else:
        progress = Progress(share, design.n_items, design.n_clusters, np.count_nonzero(values))
        look = boundary_look(
            found.up, found.down, found.effective_size, found.df, progress, margin, level, n_tests, found.cautious_size
        )
    return ended(look, found, difference.p_value, margin, level) if share >= 1.0 else look


def silent_look(found: PairedDifference, margin: float) -> Look:
    """What was observed, of what is judged at its end alone."""
    return Look.silent(found.value, score_statistic(-margin / 2.0, found.up, found.down, found.effective_size))


def _ratio_look(difference: RatioDifference, share: float, level: float, n_tests: int, at_once: bool) -> Look:
    """Look at the logarithm of a ratio by its jackknife error; failed texts leave no gain and exclude no margin."""
    log, design, margin = difference.oriented_log, difference.design, margin_of_look(difference)
    progress = Progress(share, design.n_items, design.n_clusters, np.count_nonzero(difference.values))
    errors = _in_errors(log, -margin / 2.0)
    evidence = Evidence(
        value=np.asarray(log.value),
        is_known=log.df > 0,
        tail=lambda side, change: log.negated().p_below(-change) if side > 0 else log.p_below(change),
        interval=lambda spent: log.interval(float(spent)),
        half_margin=np.asarray(errors),
        ends=(-np.inf, np.inf),
    )
    kept = 1.0 if at_once else 1.0 - LOOKING
    look = Look.silent(log.value, errors)
    if not at_once:
        look = look_through_boundary(evidence, progress, margin, level, n_tests)
    if share >= 1.0:
        p_interval = 2.0 * min(log.p_below(0.0), log.negated().p_below(0.0))
        p_difference = np.maximum(difference.p_value, min(p_interval, 1.0))
        look = look.with_end(p_difference, difference.p_non_inferiority, difference.oriented(level * kept), kept)
    if not difference.n_unanswered:
        return look
    nothing = np.asarray(1.0)
    return replace(look, p_non_inferiority=nothing, p_difference=nothing if look.value > 0 else look.p_difference)


def _in_errors(log: LogEstimate, change: float) -> float:
    """How many standard errors an estimate lies above a change."""
    return (log.value - change) / log.error if log.error > 0 else 0.0


def _two_sided(statistic: Floats, df: Floats) -> Floats:
    """The two-sided p-value of a statistic with Student's distribution; 1 where nothing is known."""
    from scipy.stats import t

    known = np.asarray(df, dtype=float) > 0
    return np.where(known, 2.0 * t.sf(np.abs(statistic), np.where(known, df, 1.0)), 1.0)
