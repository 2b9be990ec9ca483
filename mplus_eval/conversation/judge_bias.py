"""What shows that a judge heeds the order or the length of answers rather than what they say.

a judge that always prefers the first answer     order_inconsistency 1.0   first_preferred 1.0   (a fair one: 0, 0.5)
a judge that always prefers the longer answer    longer_preferred 1.0, and a length-controlled win rate near 0.5
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import Bias, Rate
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.scores import mean_score

if TYPE_CHECKING:
    import pandas as pd


def judge_bias(judgements: pd.DataFrame, level: float = 0.05) -> Bias:
    """Measure a judge on all its judgements, of one model or of several.

    Returns:
        Shares with intervals clustered by dialogue; `n` of each is what it is a share of.
        `order_inconsistency`: of the pairs that were judged in both orders, those whose verdict the order changed.
        `first_preferred`: of the verdicts that were no tie, those won by the answer shown first; 0.5 without bias.
        `longer_preferred`: of the pairs with a winner and a difference in words, those won by the longer answer. Above
        0.5 is no bias by itself: the better answers may be the longer ones.
        `order_decides`: whether more than half of all pairs are ties because of their order, beyond chance. Such a
        judge finds any two models equal, so nothing may be called preserved by it.
    """
    preference, model_first, baseline_first = (
        judgements[name].to_numpy(float) for name in ("preference", "model_first", "baseline_first")
    )
    dialogue = judgements["item_id"].to_numpy(dtype=str)
    in_both_orders = ~(np.isnan(model_first) | np.isnan(baseline_first))
    inconsistent = np.where(in_both_orders, model_first != baseline_first, np.nan)
    # Shown second, the model's loss is a win of the answer shown first.
    first_wins = np.concatenate([_decided(model_first), 1.0 - _decided(baseline_first)])
    longer = np.sign(judgements["words_model"].to_numpy(float) - judgements["words_baseline"].to_numpy(float))
    longer_wins = np.where(longer == 0, np.nan, np.where(longer > 0, _decided(preference), 1.0 - _decided(preference)))
    order_inconsistency = share(inconsistent, dialogue, level)
    return Bias(
        order_inconsistency=order_inconsistency,
        first_preferred=share(first_wins, np.concatenate([dialogue, dialogue]), level),
        longer_preferred=share(longer_wins, dialogue, level),
        order_decides=order_inconsistency.ci is not None and order_inconsistency.ci[0] > 0.5,
    )


def share(values: Floats, clusters: NDArray[np.str_], level: float = 0.05) -> Rate:
    """The mean of the values that are not NaN, with Wilson's interval at the effective number of items.

    Args:
        values: shape (items,), in [0, 1] or NaN.
        clusters: shape (items,), the cluster of each.
        level: the interval has confidence 1 − `level`.
    """
    present = ~np.isnan(values)
    n = int(present.sum())
    if n == 0:
        return Rate(value=None, ci=None, n=0)
    mean = mean_score(values[present], Design.of(np.zeros(n), clusters[present]))
    low, high = mean.interval(level)
    return Rate(value=float(mean.value), ci=(float(low), float(high)), n=n)


def _decided(preference: Floats) -> Floats:
    """The preferences without ties, which say nothing for either side."""
    assert np.all(np.isnan(preference) | np.isin(preference, (LOSS, TIE, WIN)))
    return np.where(preference == TIE, np.nan, preference)
