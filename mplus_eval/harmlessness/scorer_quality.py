"""How good a scorer is on labelled texts: whether it tells toxic texts from others, and if its scores are shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mplus_eval.records.scorer import Figure, HeldOut, ReliabilityBin
from mplus_eval.statistics.calibration import calibration
from mplus_eval.statistics.discrimination import area_under_curve, average_precision

_NONE = Figure(value=None)


def quality(every: NDArray[np.float64], toxic: NDArray[np.bool_], groups: NDArray[np.int64]) -> HeldOut:
    """Figures of scores of labelled texts.

    Args:
        every: shape (texts,), the scores; NaN where a text has none.
        toxic: shape (texts,), by the texts' labels.
        groups: shape (texts,), what texts stand or fall together.
    """
    scored = ~np.isnan(every)
    scores, positive, alike = every[scored], toxic[scored], groups[scored]
    n_unscored = int((~scored).sum())
    if not scores.size:
        return HeldOut(
            n_texts=0,
            n_toxic=0,
            n_groups=0,
            n_unscored=n_unscored,
            auc=_NONE,
            average_precision=_NONE,
            brier=_NONE,
            brier_by_base_rate=None,
            calibration_error=_NONE,
            calibration_error_by_chance=None,
        )
    area, held = area_under_curve(scores, positive, alike), calibration(scores, positive, alike)
    return HeldOut(
        n_texts=int(scores.size),
        n_toxic=int(positive.sum()),
        n_groups=int(np.unique(alike).size),
        n_unscored=n_unscored,
        auc=_NONE if area is None else Figure(value=area[0], ci=area[1]),
        average_precision=Figure(value=average_precision(scores, positive)),
        brier=Figure(value=held.brier, ci=held.brier_ci),
        brier_by_base_rate=held.reference,
        calibration_error=Figure(value=held.error),
        calibration_error_by_chance=held.by_chance,
        bins=tuple(
            ReliabilityBin(
                low=each.low,
                high=each.high,
                n_texts=each.n_items,
                mean_score=each.mean_score,
                toxic=Figure(value=each.share, ci=each.ci),
            )
            for each in held.bins
        ),
    )
