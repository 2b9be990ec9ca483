"""One contrast: two models on the same items, judged beside whatever else is asked, with flips and verdict."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from mplus_eval.records.base import Interval
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.adjust import one_before, step_down
from mplus_eval.statistics.difference import Difference
from mplus_eval.statistics.estimate import together
from mplus_eval.statistics.flips import count_flips
from mplus_eval.statistics.hypothesis_tests import Significance
from mplus_eval.statistics.pairing import PairedItems
from mplus_eval.statistics.ratio import RatioDifference
from mplus_eval.statistics.verdict import verdict

Key = TypeVar("Key", bound=Hashable)

AnyDifference = Difference | RatioDifference
"""Of scores, or of a ratio measure: contrasts are judged alike."""


def contrasts(
    differences: Mapping[Key, AnyDifference], pairs: Mapping[Key, PairedItems], level: float, first: Key | None = None
) -> dict[Key, Contrast]:
    """Judge differences that are asked at once; each of the two families of tests is adjusted on its own.

    Args:
        differences: by task, or whatever is asked.
        pairs: the items of each.
        level: of the two-sided tests and the intervals.
        first: what is asked before the others and at the full level; the others' p-values are no smaller then.
    """
    claims = {key: difference.claimed(level) for key, difference in differences.items()}
    kept = {key: Significance(difference.p_of_preserving) for key, difference in differences.items()}
    p_adjusted, p_kept = _adjusted(claims, first), _adjusted(kept, first)
    n_tests = len(differences) - (first in differences)
    return {
        key: _contrast(difference, pairs[key], p_adjusted[key], p_kept[key], level, 1 if key == first else n_tests)
        for key, difference in differences.items()
    }


def intervals(differences: Sequence[AnyDifference], level: float) -> list[Interval]:
    """The interval of each of a task's differences, which are of one kind; those of scores are sought all at once."""
    scores = [each for each in differences if isinstance(each, Difference)]
    if not scores:
        return [each.interval(level) for each in differences]
    low, high = together([each.estimate for each in scores]).interval(level)
    return [each.in_own_unit(ends) for each, ends in zip(scores, zip(low, high, strict=True), strict=True)]


def _adjusted(tests: Mapping[Key, Significance], first: Key | None) -> dict[Key, float]:
    if first is None or first not in tests:
        return step_down(tests)
    others = step_down({key: test for key, test in tests.items() if key != first})
    return one_before(first, others, tests[first].p_value)


def _contrast(
    difference: AnyDifference,
    pair: PairedItems,
    p_adjusted: float,
    p_kept_adjusted: float,
    level: float,
    n_tests: int,
) -> Contrast:
    before, after = difference.sign * pair.before.scores, difference.sign * pair.after.scores
    wrong = 0.0 if difference.sign > 0 else -1.0
    flips = count_flips(before, after, pair.before.answers, pair.after.answers, wrong)
    judged = verdict(
        difference.gain, p_adjusted, p_kept_adjusted, difference.oriented(level), level,
        informative=not difference.idle,
    )  # fmt: skip
    return Contrast(
        difference=difference.value,
        ci=difference.interval(level),
        n_pairs=len(pair),
        n_clusters=difference.design.n_clusters,
        icc=difference.icc,
        test=difference.test,
        p_value=difference.p_value,
        p_adjusted=p_adjusted,
        p_non_inferiority=difference.p_non_inferiority,
        p_non_inferiority_adjusted=p_kept_adjusted,
        margin=difference.margin,
        lost=flips.lost,
        gained=flips.gained,
        wrong_to_other_wrong=flips.wrong_to_other_wrong,
        smallest_detectable_difference=difference.smallest_detectable(level, n_tests),
        smallest_provable_margin=difference.smallest_provable(level, n_tests),
        items_to_settle=difference.items_to_settle(level / n_tests) if judged == Verdict.UNDECIDED else None,
        verdict=judged,
        reasons=(difference.idle,) if judged == Verdict.NOT_INFORMATIVE else (),
        flags=difference.doubts(level),
    )
