"""What the items say of one model against another on one task: estimate, test and margin, before any adjustment."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import ICC
from mplus_eval.statistics.hypothesis_tests import Significance, mcnemar_test, sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.pairing import PairedItems
from mplus_eval.statistics.planned_effect import PlannedEffect
from mplus_eval.statistics.power import items_to_settle, smallest_detectable, smallest_provable
from mplus_eval.statistics.scores import mean_score
from mplus_eval.statistics.verdict import p_of_gain

MCNEMAR = "exact McNemar"
SIGN_FLIP = "sign-flip permutation"
SIGN_FLIP_CLUSTERS = "sign-flip permutation by cluster"


@dataclass(frozen=True)
class Scale:
    """How a task's scores become numbers in [0, 1]: as they are, or by the range that was seen."""

    low: float = 0.0
    width: float = 1.0

    @classmethod
    def of(cls, *scores: Floats) -> Scale:
        """The scale of these scores."""
        low, high = min(float(s.min()) for s in scores), max(float(s.max()) for s in scores)
        return cls() if low >= 0.0 and high <= 1.0 else cls(low, (high - low) or 1.0)


@dataclass(frozen=True, eq=False)
class Difference:
    """What the items say of one model against another, before any adjustment.

    Attributes:
        values: item differences in scale units, oriented so that more is better.
        design: their strata and clusters.
        estimate: their mean.
        scale: the unit.
        sign: −1 where a lower score is better, else 1.
        margin: in the task's own unit.
        icc: how alike items of a cluster are supposed to be where few differ.
        with_failures: the same with the items that the model failed as its worst answers; None where there are none.
        idle: why the baseline has nothing to preserve; empty where it has.
    """

    values: Floats
    design: Design
    estimate: PairedDifference
    scale: Scale
    sign: int
    test: str
    significance: Significance
    margin: float
    icc: float = ICC
    with_failures: Difference | None = None
    idle: str = ""

    @property
    def value(self) -> float:
        """The difference in the task's own unit and direction."""
        return self.sign * float(self.estimate.value) * self.scale.width

    @property
    def p_value(self) -> float:
        """Two-sided, against no difference."""
        return self.significance.p_value

    @property
    def p_non_inferiority(self) -> float:
        """One-sided, against a loss of the margin or more."""
        return float(non_inferiority(self.estimate, self.margin / self.scale.width))

    def oriented(self, level: float) -> Interval:
        """The interval in scale units, oriented so that more is better."""
        low, high = self.estimate.interval(level)
        return float(low), float(high)

    def interval(self, level: float) -> Interval:
        """The interval in the task's own unit and direction."""
        return self.in_own_unit(self.oriented(level))

    def in_own_unit(self, oriented: Interval) -> Interval:
        """An interval in scale units as one in the task's own unit and direction."""
        low, high = sorted(self.sign * float(end) * self.scale.width for end in oriented)
        return low, high

    def claimed(self, level: float) -> Significance:
        """The test of the difference; a gain must stand with the model's failures counted against it too."""
        worst = self.with_failures
        if worst is None or not float(self.estimate.value) > 0:
            return self.significance
        p_value = p_of_gain(self.p_value, worst.p_value, worst.oriented(level)[0])
        return Significance(p_value, self.significance.attainable)

    @property
    def p_of_preserving(self) -> float:
        """The p-value against the margin, or the larger one with the model's failures counted against it."""
        worst = self.with_failures
        return self.p_non_inferiority if worst is None else max(self.p_non_inferiority, worst.p_non_inferiority)

    @property
    def gain(self) -> float:
        """The difference in scale units, oriented so that more is better."""
        return float(self.estimate.value)

    @property
    def planned_effect(self) -> PlannedEffect:
        """The design effect of more items, or with a further loss."""
        return PlannedEffect.of(self.estimate, self.design, self.icc)

    def smallest_detectable(self, level: float, n_tests: int = 1) -> float | None:
        """The true difference that four of five samples like this would show, in the task's own unit."""
        return _times(smallest_detectable(self.estimate, level, n_tests, self.planned_effect), self.scale.width)

    def smallest_provable(self, level: float, n_tests: int = 1) -> float | None:
        """The smallest margin that these items could rule out, in the task's own unit."""
        return _times(smallest_provable(self.estimate, level, n_tests), self.scale.width)

    def items_to_settle(self, level: float) -> int | None:
        """About how many items would settle it, were the truth what was observed; None if nobody knows."""
        return needed(self.estimate, self.margin / self.scale.width, level, self.planned_effect)

    def doubts(self, level: float) -> tuple[str, ...]:
        """What the items cannot exclude, whatever the verdict."""
        few = too_few_clusters(self.design, self.margin / self.scale.width, level)
        return (few,) if few else ()


def find_difference(
    pair: PairedItems,
    *,
    higher_is_better: bool,
    margin: float,
    generator: np.random.Generator,
    level: float = 0.05,
    icc: float = ICC,
    chance: float | None = None,
    retain: float | None = None,
) -> Difference:
    """Estimate and test the difference of two models over the items that both scored (one at least).

    The test is the exact one where items stand alone and are right or wrong, else the permutation by whole cluster.

    Args:
        pair: the items.
        higher_is_better: whether a higher score is.
        margin: of non-inferiority, in the task's own unit.
        generator: source of randomness, where signs are drawn.
        level: of the baseline's interval, whose lower end is held against chance.
        icc: correlation of a cluster's items that is supposed where few differ.
        chance: the score that guessing has; None where there is no such score.
        retain: the share of what stands above chance that a model must keep, which makes the margin.
    """
    scale = Scale.of(pair.before.scores, pair.after.scores)
    sign = 1 if higher_is_better else -1
    idle = ""
    if chance is not None and sign > 0 and scale == Scale():
        low = float(mean_score(pair.before.scores, pair.before.design, icc=icc).interval(level)[0])
        margin = margin_of(margin, retain, low, chance)
        idle = nothing_to_preserve(low, chance, margin)

    def tested(items: PairedItems) -> Difference:
        values = sign * (items.after.scores - items.before.scores) / scale.width
        design = items.before.design
        if design.is_plain and all(np.isin(side.scores, (0.0, 1.0)).all() for side in (items.before, items.after)):
            test, significance = MCNEMAR, mcnemar_test(int(np.sum(values < 0)), int(np.sum(values > 0)))
        else:
            test = SIGN_FLIP if design.n_clusters == design.n_items else SIGN_FLIP_CLUSTERS
            significance = sign_flip(design.totals(values), generator)
        estimate = paired_difference(values, design, icc=icc)
        return Difference(values, design, estimate, scale, sign, test, significance, margin, icc, idle=idle)

    found = tested(pair)
    if not len(pair.unanswered):
        return found
    worst = scale.low if higher_is_better else scale.low + scale.width
    return replace(found, with_failures=tested(pair.with_failures(worst)))


def margin_of(margin: float, retain: float | None, low: float, chance: float) -> float:
    """The margin, or what may be lost where a share of what stands above chance is to be kept.

    Args:
        margin: the fixed one.
        retain: the share; the fixed margin holds where it is None.
        low: lower end of the baseline's interval, so that a margin is none too wide by chance.
        chance: the score that guessing has.
    """
    return margin if retain is None else max((1.0 - retain) * (low - chance), np.finfo(float).eps)


def nothing_to_preserve(low: float, chance: float, margin: float) -> str:
    """Why a baseline has nothing that could be preserved: it may stand no more than two margins above guessing."""
    if low > chance + 2.0 * margin:
        return ""
    return (
        f"the baseline may score {100 * low:.1f} %, which is not more than two margins of {100 * margin:.1f} points "
        f"above guessing ({100 * chance:.1f} %)"
    )


def too_few_clusters(design: Design, margin: float, level: float = 0.05) -> str:
    """What cannot be excluded where clusters may fail whole: with none of G seen to, a share of 1 − (level/2)^(1/G).

    It says no number, so that tasks of which it holds are told in one sentence.
    """
    bound = 1.0 - (level / 2.0) ** (1.0 / design.n_clusters)
    if design.n_clusters == design.n_items or bound < margin:
        return ""
    return "too few passages or dialogues to exclude that whole ones are lost"


def needed(estimate: PairedDifference, margin: float, level: float, effect: PlannedEffect | None = None) -> int | None:
    """How many items would settle an undecided difference, were the truth what was observed; None if nobody knows.

    Args:
        estimate: what was observed.
        margin: of non-inferiority.
        level: of either test; non-inferiority is tested at half of it.
        effect: the design effect as it depends on the items; that of the sample when None.
    """
    if not estimate.df > 0:
        return None
    items, planned = float(estimate.items), effect or PlannedEffect.of(estimate)
    seen = items / planned.at(items)
    pairs = items_to_settle(float(estimate.up), float(estimate.down), seen, margin, level, level)
    return None if pairs is None else math.ceil(planned.items_for(pairs))


def rng_for(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and on what it is used for, and on nothing else."""
    text = "\x1f".join([str(seed), *names])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def _times(value: float | None, width: float) -> float | None:
    return None if value is None else value * width
