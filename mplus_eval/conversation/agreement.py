"""How far two judges agree beyond chance: Cohen's kappa over win, tie and loss, with dialogues as clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import JudgeAgreement
from mplus_eval.statistics import kappa

_CATEGORIES = (LOSS, TIE, WIN)
_ONE_VERDICT = "both judges gave one and the same verdict throughout, so chance alone agrees wholly"
_NO_PAIR = "no pair was judged by both"


def cohens_kappa(first: ArrayLike, second: ArrayLike, clusters: ArrayLike, level: float = 0.05) -> JudgeAgreement:
    """Agreement of two judges on the same pairs.

    Args:
        first: shape (pairs,), preferences 0, 0.5 or 1 of the first judge; NaN unjudged.
        second: the same of the second judge, in the same order.
        clusters: shape (pairs,), the dialogue of each pair.
        level: the interval has confidence 1 − `level`.
    """
    preferences = [np.asarray(side, dtype=float) for side in (first, second)]
    judged = ~np.isnan(preferences).any(axis=0)
    if not judged.any():
        return JudgeAgreement(kappa=None, ci=None, agreement=None, n_pairs=0, withheld=_NO_PAIR)
    rows, columns = (np.searchsorted(_CATEGORIES, values[judged]) for values in preferences)
    found = kappa.cohens_kappa(rows, columns, np.asarray(clusters)[judged], level)
    return JudgeAgreement(
        kappa=found.value,
        ci=found.ci,
        agreement=found.agreement,
        n_pairs=int(judged.sum()),
        withheld=_ONE_VERDICT if found.value is None else None,
    )
