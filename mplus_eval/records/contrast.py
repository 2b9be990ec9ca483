"""One model against another on one task."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.base import Interval, Probability, Record
from mplus_eval.records.verdict import Verdict


class Sequential(Record):
    """How far items were asked until a verdict was settled, or to the end (`--sequential`)."""

    n_asked: int = Field(description="items that had been asked when the verdict was settled")
    n_items: int = Field(description="items that there were to ask")
    n_looks: int = Field(description="how often the verdict was looked at; its error holds for all looks together")
    settled: bool = Field(description="whether it was settled before all items had been asked, or with the last")


class Contrast(Record):
    """One model against another on one task, paired by item over the items that both scored.

    `lost`, `gained` and `wrong_to_other_wrong` count items; for graded scores lost and gained count items whose
    score fell and rose. `p_value` is two-sided, against no difference; `p_non_inferiority` is one-sided, against a
    loss of `margin` or more. The adjusted ones, over the tasks of this model, are what the verdict rests on: where the
    model failed on items, those of a gain and of non-inferiority hold with these items as its worst answers too.
    """

    difference: float
    ci: Interval
    n_pairs: int
    n_clusters: int = Field(
        default=0, description="passages or dialogues that the items lie in; items where they stand alone"
    )
    icc: float | None = Field(
        default=None, description="how alike items of a cluster are supposed to be where few of them differ"
    )
    test: str
    p_value: Probability
    p_adjusted: Probability
    p_non_inferiority: Probability
    p_non_inferiority_adjusted: Probability
    margin: float
    lost: int
    gained: int
    wrong_to_other_wrong: int
    smallest_detectable_difference: float | None
    smallest_provable_margin: float | None
    items_to_settle: int | None = Field(
        default=None, description="of an undecided contrast: about how many items would settle it"
    )
    verdict: Verdict
    flags: tuple[str, ...] = Field(default=(), description="what makes it doubtful, in words")
    differences: tuple[AskedDifference, ...] = Field(
        default=(), description="what differs between the two models as they were asked, besides their weights"
    )
    reasons: tuple[str, ...] = Field(
        default=(), description="why the verdict is `not comparable` or `not informative`; empty otherwise"
    )
    above_noise: bool | None = Field(
        default=None,
        description="whether the share of items lost or gained is above the upper end of the noise floor's interval",
    )
    sequential: Sequential | None = Field(
        default=None,
        description="where asking stops with the verdict: interval and p-values are valid at whatever look it stopped",
    )
