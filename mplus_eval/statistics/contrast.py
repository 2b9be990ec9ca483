"""One contrast: two models on the same items, from paired scores to difference, tests, flips and verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mplus_eval.records.base import Interval
from mplus_eval.records.contrast import Contrast
from mplus_eval.statistics.adjust import holm
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.flips import count_flips
from mplus_eval.statistics.hypothesis_tests import mcnemar, sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.pairing import PairedItems
from mplus_eval.statistics.power import smallest_detectable, smallest_provable
from mplus_eval.statistics.verdict import verdict

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
    """

    values: Floats
    design: Design
    estimate: PairedDifference
    scale: Scale
    sign: int
    test: str
    p_value: float
    margin: float

    @property
    def value(self) -> float:
        """The difference in the task's own unit and direction."""
        return self.sign * float(self.estimate.value) * self.scale.width

    @property
    def p_non_inferiority(self) -> float:
        """One-sided p-value against a loss of the margin or more."""
        return float(non_inferiority(self.estimate, self.margin / self.scale.width))

    def interval(self, level: float) -> Interval:
        """The interval in the task's own unit and direction."""
        ends = sorted(self.sign * float(end) * self.scale.width for end in self.estimate.interval(level))
        return ends[0], ends[1]


def find_difference(
    pair: PairedItems, *, higher_is_better: bool, margin: float, generator: np.random.Generator
) -> Difference:
    """Estimate and test the difference of two models over the items that both scored (one at least).

    The test is the exact one where items stand alone and are right or wrong, else the permutation by whole cluster.
    """
    scale = Scale.of(pair.before.scores, pair.after.scores)
    sign = 1 if higher_is_better else -1
    values = sign * (pair.after.scores - pair.before.scores) / scale.width
    design = pair.before.design()
    binary = all(bool(np.all(np.isin(side.scores, (0.0, 1.0)))) for side in (pair.before, pair.after))
    if binary and design.n_clusters == design.n_items:
        test, p_value = MCNEMAR, float(mcnemar(np.sum(values < 0), np.sum(values > 0)))
    else:
        test = SIGN_FLIP if design.n_clusters == design.n_items else SIGN_FLIP_CLUSTERS
        p_value = sign_flip(design.totals(values), generator)
    return Difference(values, design, paired_difference(values, design), scale, sign, test, p_value, margin)


def contrasts(
    differences: Mapping[str, Difference],
    pairs: Mapping[str, PairedItems],
    level: float,
) -> dict[str, Contrast]:
    """Judge one model's differences over all tasks; each of the two families of tests is Holm-adjusted."""
    p_adjusted = holm({task: difference.p_value for task, difference in differences.items()})
    p_kept = holm({task: difference.p_non_inferiority for task, difference in differences.items()})
    return {
        task: _contrast(difference, pairs[task], p_adjusted[task], p_kept[task], level, len(differences))
        for task, difference in differences.items()
    }


def rng_for(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and on what it is used for, and on nothing else."""
    text = "\x1f".join([str(seed), *names])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


def _contrast(
    difference: Difference,
    pair: PairedItems,
    p_adjusted: float,
    p_kept_adjusted: float,
    level: float,
    n_tests: int,
) -> Contrast:
    before, after = difference.sign * pair.before.scores, difference.sign * pair.after.scores
    wrong = 0.0 if difference.sign > 0 else -1.0
    flips = count_flips(before, after, pair.before.answers, pair.after.answers, wrong)
    estimate, width = difference.estimate, difference.scale.width
    return Contrast(
        difference=difference.value,
        ci=difference.interval(level),
        n_pairs=len(pair),
        test=difference.test,
        p_value=difference.p_value,
        p_adjusted=p_adjusted,
        p_non_inferiority=difference.p_non_inferiority,
        p_non_inferiority_adjusted=p_kept_adjusted,
        margin=difference.margin,
        lost=flips.lost,
        gained=flips.gained,
        wrong_to_other_wrong=flips.wrong_to_other_wrong,
        smallest_detectable_difference=_times(smallest_detectable(estimate, level, n_tests), width),
        smallest_provable_margin=_times(smallest_provable(estimate, level, n_tests), width),
        verdict=verdict(float(estimate.value), p_adjusted, p_kept_adjusted, level),
    )


def _times(value: float | None, width: float) -> float | None:
    return None if value is None else value * width
