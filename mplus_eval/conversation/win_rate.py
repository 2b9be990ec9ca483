"""Wins, ties and losses against the baseline, and whether they are more than chance.

With s in {−1, 0, 1} for loss, tie and win, the win rate is ½ + mean(s)/2: ties count half. Wins less losses are a
paired difference of the two models over the same dialogues, so the interval, the tests and the verdict are the ones of
`mplus_eval.statistics`, with categories as strata and dialogues as clusters, carried over by that formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mplus_eval.conversation.judgements import design_of
from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import WinRecord
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.conversation import MARGIN
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.power import smallest_detectable, smallest_provable
from mplus_eval.statistics.verdict import p_of_gain, verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class WinTest:
    """The win rate against one half.

    Attributes:
        p_value: two-sided, of the sign-flip permutation by whole dialogue.
        p_non_inferiority: one-sided, against a win rate of 0.5 − margin or less; also with the dialogues that the model
            left without an answer counted as lost.
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
        low, high = win_interval(signs, design, level)
        value, ci = float(np.mean(signs)) / 2.0 + 0.5, (float(low), float(high))
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


def win_interval(signs: Floats, design: Design, level: float = 0.05) -> tuple[Floats, Floats]:
    """The interval of confidence 1 − `level` of win rates, each of shape (...).

    Args:
        signs: shape (..., pairs); 1, 0 and −1 for win, tie and loss.
        design: categories and dialogues of the pairs.
        level: of the interval.
    """
    low, high = _estimate(signs, design).interval(level)
    return 0.5 + low / 2.0, 0.5 + high / 2.0


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
    preference = judgements["preference"].to_numpy(dtype=float)
    judged = judgements[~np.isnan(preference)]
    if judged.empty:
        return None
    estimate, p_value, p_kept = _tested(judged, margin, generator)
    value, (low, high) = float(estimate.value), (float(end) for end in estimate.interval(level))
    p_claimed = p_value
    # A dialogue that the model left without an answer is lost, where a gain or its absence is to be shown.
    silent = np.isnan(preference) & judgements["words_model"].isna() & judgements["words_baseline"].notna()
    if silent.any():
        counted = judgements[~np.isnan(preference) | silent].assign(
            preference=lambda rows: rows["preference"].fillna(LOSS)
        )
        worst, p_worst, p_kept_worst = _tested(counted, margin, generator)
        p_kept = max(p_kept, p_kept_worst)
        if value > 0:
            p_claimed = p_of_gain(p_value, p_worst, float(worst.interval(level)[0]))
    return WinTest(
        p_value=p_value,
        p_non_inferiority=p_kept,
        margin=margin,
        verdict=verdict(value, p_claimed, p_kept, (low, high), level),
        smallest_detectable=_half(smallest_detectable(estimate, level)),
        smallest_provable=_half(smallest_provable(estimate, level)),
    )


def _tested(
    judged: pd.DataFrame, margin: float, generator: np.random.Generator
) -> tuple[PairedDifference, float, float]:
    """Wins less losses, and the p-values against no difference and against the margin."""
    signs, design = _signs(judged)
    estimate = _estimate(signs, design)
    p_value = sign_flip(design.totals(signs), generator).p_value if design.n_clusters > 1 else 1.0
    # A win rate moves half as far as wins less losses.
    return estimate, p_value, float(non_inferiority(estimate, 2.0 * margin))


def _signs(judged: pd.DataFrame) -> tuple[Floats, Design]:
    """1, 0 and −1 for win, tie and loss, and their design."""
    return 2.0 * judged["preference"].to_numpy(dtype=float) - 1.0, design_of(judged)


def _estimate(signs: Floats, design: Design) -> PairedDifference:
    """Wins less losses. What is rare carries the information: every pair but those of the commonest kind.

    Item differences of two scores are mostly 0, so there it is the ones that differ. Here a model may win almost
    always, and then its ties and losses are what a small sample can miss.
    """
    kinds = np.stack([signs != kind for kind in (-1.0, 0.0, 1.0)])
    rarest = kinds.mean(axis=-1).argmin(axis=0)
    rare = np.take_along_axis(kinds, rarest[None, ..., None], axis=0)[0]
    return paired_difference(signs, design, carriers=rare)


def _half(value: float | None) -> float | None:
    return None if value is None else value / 2.0
