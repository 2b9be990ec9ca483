"""The win rate had both answers been equally long: length-controlled, after Dubois et al., arXiv 2404.04475.

    logit P(the model's answer is preferred) = θ + φ · tanh(Δ / sd(Δ)),    Δ = the model's words − the baseline's words

fitted over one model's judged pairs, a tie being half a win; logistic(θ), the prediction at Δ = 0, is the
length-controlled win rate. Departures from the paper: no term for the difficulty of an instruction, which its authors
estimate over many models; words for characters; plain maximum likelihood in place of a penalty chosen by
cross-validation, so that the result depends on no split into folds.

Where length or the model alone decides every pair, the likelihood has no maximum (separation). Then one win and one
loss at equal length are added, and the result says so. Where length decides, they alone tell of equal length: the value
is one half, with an interval as wide as two pairs deserve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mplus_eval.judges.base import LOSS, TIE, WIN
from mplus_eval.records.conversation import LengthControl, WinRecord
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import student_quantile

if TYPE_CHECKING:
    import pandas as pd
    from statsmodels.genmod.generalized_linear_model import GLM

FEW_DIALOGUES = "fewer than three dialogues were judged"
EQUAL_DIFFERENCES = "every pair differs in length by the same number of words, so length cannot be told from the model"
ALL_AT_ONCE = (
    "one side won every pair and always had the longer, or always the shorter, answer: the cause cannot be told"
)
LENGTH_UNKNOWN = "the length of some judged answers is not known"


def length_controlled(judgements: pd.DataFrame, level: float = 0.05) -> LengthControl:
    """Fit one model's judged pairs; the interval, of confidence 1 − `level`, is clustered by dialogue.

    Returns:
        The win rate at equal length, or why it is withheld. The length effect is φ, None where length decides every
        pair; `extrapolated` tells that one side's answers were always the longer ones, so that no pair lies on one side
        of zero.
    """
    judged = judgements[~np.isnan(judgements["preference"].to_numpy(dtype=float))]
    difference = judged["words_model"].to_numpy(dtype=float) - judged["words_baseline"].to_numpy(dtype=float)
    if reason := _reason_to_withhold(judged, difference):
        return LengthControl(withheld=reason)
    preference = judged["preference"].to_numpy(dtype=float)
    length = length_term(difference)
    dialogues = judged["item_id"].astype(str).to_numpy()
    separated = is_separated(preference, length)
    # Where all pairs are ties nothing is separated, but no spread is seen either.
    theta, phi, error = (_held if separated or np.all(preference == TIE) else _free)(preference, length, dialogues)
    df = judged["item_id"].nunique() - 2
    reach = float(student_quantile(1.0 - level / 2.0, df)) * error
    return LengthControl(
        value=_logistic(theta),
        ci=(_logistic(theta - reach), _logistic(theta + reach)),
        length_effect=phi if np.isfinite(phi) else None,
        separated=separated,
        extrapolated=_one_sided(difference),
    )


def explained_by_length(raw: WinRecord, controlled: LengthControl) -> bool:
    """Tell whether a win is one of length: shown over all, not shown at equal length, and smaller there."""
    if raw.value is None or raw.ci is None or controlled.value is None or controlled.ci is None:
        return False
    return raw.ci[0] > 0.5 and controlled.ci[0] <= 0.5 and controlled.value < raw.value


def length_term(difference: Floats) -> Floats:
    """The tanh of the difference in words over its standard deviation (Dubois et al., equation 1); shape (pairs,)."""
    return np.asarray(np.tanh(difference / np.std(difference, ddof=1)))


def is_separated(preference: Floats, length: Floats) -> bool:
    """Tell whether some length parts the pairs that were not lost from those that were not won.

    A tie is both. Exactly then the likelihood has no maximum (Albert & Anderson 1984).
    """
    some_win, some_loss = length[preference > LOSS], length[preference < WIN]
    if some_win.size == 0 or some_loss.size == 0:
        return True
    return bool(some_win.min() >= some_loss.max() or some_loss.min() >= some_win.max())


def _reason_to_withhold(judged: pd.DataFrame, difference: Floats) -> str | None:
    if judged["item_id"].nunique() < 3:
        return FEW_DIALOGUES
    if np.isnan(difference).any():
        return LENGTH_UNKNOWN
    if np.all(difference == difference[0]):
        return EQUAL_DIFFERENCES
    preference = judged["preference"].to_numpy(dtype=float)
    decided = np.all(preference == WIN) or np.all(preference == LOSS)
    return ALL_AT_ONCE if decided and _one_sided(difference) else None


def _one_sided(difference: Floats) -> bool:
    return bool(np.all(difference > 0) or np.all(difference < 0))


def _free(preference: Floats, length: Floats, dialogues: NDArray[np.object_]) -> tuple[float, float, float]:
    """θ, φ and the standard error of θ: maximum likelihood, with the sandwich clustered by dialogue."""
    codes = np.unique(dialogues, return_inverse=True)[1]
    fitted = _regression(preference, length).fit(cov_type="cluster", cov_kwds={"groups": codes})
    return float(fitted.params[0]), float(fitted.params[1]), float(fitted.bse[0])


def _held(preference: Floats, length: Floats, dialogues: NDArray[np.object_]) -> tuple[float, float, float]:
    """The same with one win and one loss at equal length; φ is infinite where length decides every pair.

    Residuals are almost 0 here and so is their sandwich; the likelihood's own curvature is not. It counts pairs as
    independent, so it is widened as if all turns of a dialogue were alike (Kish 1965).
    """
    inflation = float(np.sqrt(Design.of(np.zeros(preference.size), dialogues).full_effect))
    outcomes, terms = np.append(preference, (WIN, LOSS)), np.append(length, (0.0, 0.0))
    if is_separated(outcomes, terms):
        # As φ grows without end, only the two added pairs are uncertain: at one half, each weighs a quarter.
        return 0.0, float(np.inf), float(np.sqrt(2.0)) * inflation
    fitted = _regression(outcomes, terms).fit()
    return float(fitted.params[0]), float(fitted.params[1]), float(fitted.bse[0]) * inflation


def _regression(preference: Floats, length: Floats) -> GLM:
    from statsmodels.api import GLM, families

    return GLM(preference, np.column_stack([np.ones(preference.size), length]), family=families.Binomial())


def _logistic(value: float) -> float:
    from scipy.special import expit

    return float(expit(value))
