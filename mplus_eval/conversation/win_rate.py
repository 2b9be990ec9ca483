"""Wins, ties and losses against the baseline, and whether they are more than chance.

With s in {−1, 0, 1} for loss, tie and win, the win rate is ½ + mean(s)/2: ties count half. Wins less losses are a
paired difference of the two models over the same dialogues, so the interval, the tests and the verdict are the ones of
`mplus_eval.statistics`, with categories as strata and dialogues as clusters, carried over by that formula.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mplus_eval.conversation.judgements import design_of
from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import WinRecord
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.conversation import MARGIN
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import effective_count
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.power import smallest_detectable, smallest_provable
from mplus_eval.statistics.verdict import verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class WinTest:
    """The win rate against one half.

    Attributes:
        p_value: two-sided, of the sign-flip permutation by whole dialogue.
        p_non_inferiority: one-sided, against a win rate of 0.5 − margin or less.
        verdict: `preserved` means that a win rate of 0.5 − margin or less is excluded.
        smallest_detectable: the distance from one half that four of five samples like this would show; None if unknown.
        smallest_provable: the smallest margin for which these data show non-inferiority; None if unknown.
    """

    p_value: float
    p_non_inferiority: float
    margin: float
    verdict: Verdict
    smallest_detectable: float | None
    smallest_provable: float | None


def win_rate(judgements: pd.DataFrame, level: float = 0.05) -> WinRecord:
    """Count and estimate over all rows, of one model.

    Ties count half, pairs without a preference only as unjudged; there is no value where nothing was judged. The
    interval has confidence 1 − `level` and is clustered by dialogue.
    """
    preference = judgements["preference"].to_numpy(dtype=float)
    judged = judgements[~np.isnan(preference)]
    value = ci = None
    if len(judged):
        signs, design = _signs(judged)
        low, high = _estimate(signs, design).interval(level)
        value, ci = float(np.mean(signs)) / 2.0 + 0.5, (0.5 + float(low) / 2.0, 0.5 + float(high) / 2.0)
    return WinRecord(
        value=value,
        ci=ci,
        wins=int(np.sum(preference == WIN)),
        ties=int(np.sum(preference == TIE)),
        losses=int(np.sum(preference == LOSS)),
        n_judged=len(judged),
        n_unjudged=len(judgements) - len(judged),
        n_dialogues=int(judged["item_id"].nunique()),
    )


def win_test(
    judgements: pd.DataFrame, generator: np.random.Generator, margin: float = MARGIN, level: float = 0.05
) -> WinTest | None:
    """Hold the win rate of one model against one half; None where nothing was judged.

    Args:
        judgements: rows of one model.
        generator: source of randomness, used only where sign patterns cannot all be counted.
        margin: in the unit of the win rate, above 0.
        level: of the two-sided test.
    """
    judged = judgements[~np.isnan(judgements["preference"].to_numpy(dtype=float))]
    if judged.empty:
        return None
    signs, design = _signs(judged)
    estimate = _estimate(signs, design)
    p_value = sign_flip(design.totals(signs), generator) if design.n_clusters > 1 else 1.0
    # A win rate moves half as far as wins less losses.
    p_kept = float(non_inferiority(estimate, 2.0 * margin))
    return WinTest(
        p_value=p_value,
        p_non_inferiority=p_kept,
        margin=margin,
        verdict=verdict(float(estimate.value), p_value, p_kept, level),
        smallest_detectable=_half(smallest_detectable(estimate, level)),
        smallest_provable=_half(smallest_provable(estimate, level)),
    )


def _signs(judged: pd.DataFrame) -> tuple[Floats, Design]:
    """1, 0 and −1 for win, tie and loss, and their design."""
    return 2.0 * judged["preference"].to_numpy(dtype=float) - 1.0, design_of(judged)


def _estimate(signs: Floats, design: Design) -> PairedDifference:
    """Wins less losses. What is rare carries the information: every pair but those of the commonest kind.

    Item differences of two scores are mostly 0, so there it is the ones that differ. Here a model may win almost
    always, and then its ties and losses are what a small sample can miss.
    """
    others = np.stack([signs != kind for kind in (-1.0, 0.0, 1.0)]).astype(float)
    estimate = paired_difference(signs, design)
    return replace(
        estimate,
        rare=others.mean(axis=-1).min(),
        informative=np.minimum(estimate.informative, effective_count(design.totals(others)).min()),
    )


def _half(value: float | None) -> float | None:
    return None if value is None else value / 2.0
