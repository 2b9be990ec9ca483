"""How far two judges agree beyond chance: Cohen's kappa over win, tie and loss, with a clustered interval.

    κ = (p_o − p_e) / (1 − p_e)

with p_o the share of pairs on which both say the same and p_e that share if each judge kept its own shares of wins,
ties and losses but gave them at random (Cohen 1960). The interval uses the influence of each pair on κ, whose variance
for independent pairs is the one of Fleiss, Cohen & Everitt (1969), and takes dialogues as clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import JudgeAgreement
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import student_quantile
from mplus_eval.statistics.scores import mean_score

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
    same = (rows == columns).astype(float)
    observed, n_pairs = float(same.mean()), int(same.size)
    by_row, by_column = (np.bincount(side, minlength=len(_CATEGORIES)) / n_pairs for side in (rows, columns))
    expected = float(by_row @ by_column)
    if expected == 1.0:
        return JudgeAgreement(kappa=None, ci=None, agreement=observed, n_pairs=n_pairs, withheld=_ONE_VERDICT)
    kappa = (observed - expected) / (1.0 - expected)
    design = Design.of(np.zeros(n_pairs), np.asarray(clusters)[judged])
    ci = -1.0, 1.0
    variance = design.variance(_influence(same, by_column[rows] + by_row[columns], observed, expected))
    if observed == 1.0:
        # No disagreement shows no variance either: the doubt is Wilson's about the share that agree.
        low = (float(mean_score(same, design).interval(level)[0]) - expected) / (1.0 - expected)
        ci = max(low, -1.0), 1.0
    elif variance.df > 0:
        reach = float(student_quantile(1.0 - level / 2.0, variance.df) * np.sqrt(variance.value))
        ci = max(kappa - reach, -1.0), min(kappa + reach, 1.0)
    return JudgeAgreement(kappa=kappa, ci=ci, agreement=observed, n_pairs=n_pairs)


def _influence(same: Floats, chance: Floats, observed: float, expected: float) -> Floats:
    """What each pair adds to κ, less the mean; `chance` is the other judge's shares of each judge's verdict, added."""
    of_observed = (same - observed) * (1.0 - expected)
    of_expected = (1.0 - observed) * (chance - 2.0 * expected)
    return np.asarray((of_observed - of_expected) / (1.0 - expected) ** 2)
