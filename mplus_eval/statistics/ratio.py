"""Two models on the same texts, by a ratio measure: bits per byte, or a perplexity.

They are compared on the logarithm of the value, so a difference is a relative change, and a margin too: 0.01 is 1 %
more bits, or a perplexity 1 % higher. Weights are those of the texts, the same for both; the logarithm of the values'
ratio is estimated as that of one value is (`statistics.texts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mplus_eval.records.base import Interval
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import student_quantile
from mplus_eval.statistics.hypothesis_tests import Significance, sign_flip
from mplus_eval.statistics.pairing import PairedItems
from mplus_eval.statistics.power import POWER
from mplus_eval.statistics.texts import LogEstimate, Texts

SIGN_FLIP = "sign-flip permutation of texts"
SIGN_FLIP_CLUSTERS = "sign-flip permutation of texts by cluster"


@dataclass(frozen=True, eq=False)
class RatioDifference:
    """What the texts say of one model against another, before any adjustment; the face of `contrast.Difference`.

    Attributes:
        before: losses of the other model, shape (items,).
        after: losses of the model on the same texts.
        texts: weights, strata and clusters.
        sign: −1 where a lower value is better, else 1.
        margin: the relative change for the worse that is to be excluded; 0.01 is 1 %.
        n_unanswered: texts that the other model scored and this one failed. Nothing bounds their loss, so with any of
            them no gain is claimed, and nothing is preserved.
    """

    before: Floats
    after: Floats
    texts: Texts
    sign: int
    test: str
    significance: Significance
    margin: float
    n_unanswered: int = 0
    icc: None = None
    idle: str = ""

    @property
    def design(self) -> Design:
        """Strata and clusters."""
        return self.texts.design

    @cached_property
    def log(self) -> LogEstimate:
        """The logarithm of the model's value over the other's."""
        before, after = self.texts.log_value(self.before), self.texts.log_value(self.after)
        if not np.all(np.isfinite((before, after))):
            return LogEstimate(0.0)  # of nothing there is no relative change
        without = self.texts.log_values_without(self.after) - self.texts.log_values_without(self.before)
        return self.texts.estimate(after - before, without)

    @property
    def oriented_log(self) -> LogEstimate:
        """The same, turned so that more is better."""
        return self.log if self.sign > 0 else self.log.negated()

    @property
    def value(self) -> float:
        """The relative change: the model's value over the other's, less 1."""
        return float(np.expm1(self.log.value))

    @property
    def gain(self) -> float:
        """The change of the logarithm, oriented so that more is better."""
        return self.oriented_log.value

    @property
    def p_value(self) -> float:
        """Two-sided, against no change, by sign flips of whole clusters."""
        return self.significance.p_value

    def claimed(self, level: float) -> Significance:
        """The test of the change; a gain is none where the model failed on texts."""
        return Significance(1.0) if self.n_unanswered and self.gain > 0 else self.significance

    @property
    def p_of_preserving(self) -> float:
        """The p-value against the margin; 1 where the model failed on texts."""
        return 1.0 if self.n_unanswered else self.p_non_inferiority

    @cached_property
    def values(self) -> Floats:
        """What each text adds to the change, oriented so that more is better; scaled to be a mean, shape (items,)."""
        return self.sign * self.texts.contributions(self.before, self.after) * self.design.n_items

    @property
    def p_non_inferiority(self) -> float:
        """One-sided, against a change for the worse by the margin or more; 1 where nothing is known."""
        return self.oriented_log.negated().p_below(self._log_margin)

    def oriented(self, level: float) -> Interval:
        """The interval of the logarithm, oriented so that more is better."""
        return self.oriented_log.interval(level)

    def interval(self, level: float) -> Interval:
        """The interval of the relative change, from −1; its upper end is `LARGEST` where nothing is known."""
        with np.errstate(over="ignore"):
            low, high = np.expm1(self.log.interval(level))
        return float(low), min(float(high), LARGEST)

    def smallest_detectable(self, level: float, n_tests: int = 1) -> float | None:
        """The true relative change that four of five samples like this would show; None if not known."""
        if not self.log.df > 0:
            return None
        quantiles = (student_quantile(each, self.log.df) for each in (1.0 - level / n_tests / 2.0, POWER))
        return min(float(np.expm1(sum(float(each) for each in quantiles) * self.log.error)), LARGEST)

    def smallest_provable(self, level: float, n_tests: int = 1) -> float | None:
        """The smallest margin for which non-inferiority is shown here; None if not known."""
        if not self.log.df > 0:
            return None
        return min(max(float(np.expm1(-self.oriented(level / n_tests)[0])), 0.0), LARGEST)

    def items_to_settle(self, level: float) -> int | None:
        """About how many texts would settle an undecided contrast, were the truth what was observed; None if not known.

        Errors fall with the root of their number; the fewer of what shows the change and of what excludes the margin.
        """
        if not self.log.df > 0:
            return None
        from scipy.stats import norm

        reach = float(norm.isf(level / 2.0) + norm.ppf(POWER)) * self.log.error
        distances = [abs(self.gain), self._log_margin + self.gain]
        needs = [self.design.n_items * (reach / distance) ** 2 for distance in distances if distance > 0]
        return min((int(np.ceil(need)) for need in needs if self.design.n_items < need < LARGEST), default=None)

    def doubts(self, level: float) -> tuple[str, ...]:
        """What the texts cannot show, whatever the verdict."""
        if not self.n_unanswered:
            return ()
        failed = "1 text" if self.n_unanswered == 1 else f"{self.n_unanswered} texts"
        return (f"{failed} failed, whose loss nothing bounds: neither a gain nor a margin is shown",)

    @property
    def _log_margin(self) -> float:
        return float(np.log1p(self.margin))


LARGEST = 1e9
"""What stands for no bound, since a comparison is stored as JSON."""


def ratio_difference(
    pair: PairedItems, *, higher_is_better: bool, margin: float, generator: np.random.Generator
) -> RatioDifference:
    """Estimate and test how much a model's value differs from another's, over the texts that both scored.

    Were the models alike, exchanging their names on a cluster would change nothing; so the test flips the signs of the
    clusters' changes. It is exact, whatever the weights; perplexities of several subtasks are averaged after the
    exponential, so there a subtask's change counts for what it does at the mean of both models.

    Args:
        pair: the texts; scores are losses.
        higher_is_better: the direction of the value.
        margin: of non-inferiority, as a relative change of the value.
        generator: source of randomness of the test.
    """
    texts, before, after = pair.before.texts(), pair.before.scores, pair.after.scores
    design = texts.design
    return RatioDifference(
        before=before,
        after=after,
        texts=texts,
        sign=1 if higher_is_better else -1,
        test=SIGN_FLIP if design.n_clusters == design.n_items else SIGN_FLIP_CLUSTERS,
        significance=sign_flip(design.totals(texts.contributions(before, after)), generator),
        margin=margin,
        n_unanswered=len(pair.unanswered),
    )
