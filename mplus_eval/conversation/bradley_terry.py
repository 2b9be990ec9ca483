"""The Bradley–Terry model of pairwise preferences, in log-odds.

    P(i is preferred to j) = 1 / (1 + exp(θ_j − θ_i)),    θ = 0 for the first model

A tie is half a win for either side (Bradley & Terry 1952). A model that wins all its pairs has no finite log-odds by
likelihood alone. Each two models that met therefore get one tie more, half a win either way, which moves the others by
about one part in their number of pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mplus_eval.statistics.design import Floats

PRIOR_TIES = 1.0
_STEPS = 50
_LARGEST_STEP = 2.0


def fit(wins: Floats, prior_ties: float = PRIOR_TIES) -> Floats:
    """Log-odds of every model against the first, which has 0, by Newton's method.

    Args:
        wins: shape (..., models, models), how often the row's model was preferred to the column's; ties half each.
        prior_ties: ties that are added for each two models that met.

    Returns:
        Shape (..., models).
    """
    counts = wins + np.swapaxes(wins, -1, -2)
    won = wins + prior_ties / 2.0 * (counts > 0)
    met = won + np.swapaxes(won, -1, -2)
    strengths = np.zeros(wins.shape[:-1])
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(strengths[..., None, :] - strengths[..., :, None]))
        gradient = (won - met * chance).sum(axis=-1)[..., 1:]
        # Fisher's information of all strengths but the first; shape (..., models − 1, models − 1).
        weights = met * chance * (1.0 - chance)
        information = (weights.sum(axis=-1)[..., None] * np.eye(met.shape[-1]) - weights)[..., 1:, 1:]
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        strengths[..., 1:] += np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return strengths


def bounded(wins: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the likelihood bounds each rating from above, and from below (after Ford 1957).

    From above, if a chain of wins leads from the first model to it: otherwise it may be moved up without end.
    """
    from scipy.sparse.csgraph import breadth_first_order

    models = np.arange(wins.shape[0])
    over, under = (breadth_first_order(graph > 0, 0, return_predecessors=False) for graph in (wins, wins.T))
    return np.isin(models, over), np.isin(models, under)
