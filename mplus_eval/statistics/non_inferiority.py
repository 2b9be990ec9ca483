"""Non-inferiority: evidence that what was lost is less than a margin."""

from __future__ import annotations

import numpy as np

from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.paired import PairedDifference
from mplus_eval.statistics.score_interval import score_statistic


def non_inferiority(difference: PairedDifference, margin: float) -> Floats:
    """One-sided p-value against a loss of `margin` or more (Nam 1997); 1 where the variance is unknown.

    The statistic is the one that the cautious interval inverts, so p < level/2 exactly where that one of confidence
    1 − level lies above −margin. It is cautious, since few items that differ one by one may hide clusters that are lost
    whole: however independent the items look, clusters are taken for as alike as is supposed.

    Args:
        difference: oriented so that more is better.
        margin: in the unit of the difference, above 0.
    """
    from scipy.special import stdtr

    statistic = score_statistic(-margin, difference.up, difference.down, difference.cautious_size)
    return np.where(difference.df > 0, stdtr(np.maximum(difference.df, 1e-9), -statistic), 1.0)
