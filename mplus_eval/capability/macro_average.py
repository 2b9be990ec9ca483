"""One model over the whole suite: macro-average, alignment tax and the suite's verdict.

The macro-average is the plain mean over tasks. The alignment tax is what it lost against another model over the items
that both scored; its verdict is one test and stands outside the families of the tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap

import numpy as np

from mplus_eval.records.comparison import Summary
from mplus_eval.statistics.bootstrap import bootstrap_average
from mplus_eval.statistics.contrast import Difference
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.pairing import ScoredItems
from mplus_eval.statistics.power import smallest_detectable, smallest_provable
from mplus_eval.statistics.scores import mean_score
from mplus_eval.statistics.verdict import verdict


def macro_average(cells: Sequence[ScoredItems], level: float, generator: np.random.Generator) -> Summary:
    """The mean over tasks of one model's scores in [0, 1], with its bootstrap interval."""
    scores, designs = [cell.scores for cell in cells], [cell.design() for cell in cells]
    average = bootstrap_average(
        list(starmap(mean_score, zip(scores, designs, strict=True))), scores, designs, generator
    )
    low, high = average.interval(level)
    return Summary(macro_average=float(average.value), ci=(float(low), float(high)), withheld=None)


def summarise(
    average: Summary, differences: Sequence[Difference], margin: float, level: float, generator: np.random.Generator
) -> Summary:
    """Add to a model's macro-average what it lost or gained against another.

    Args:
        average: the model's macro-average.
        differences: to the other model, one a task, scores in [0, 1] and higher is better.
        margin: of the macro-average.
        level: of the test.
        generator: source of randomness.
    """
    values, designs = [each.values for each in differences], [each.design for each in differences]
    change = bootstrap_average([each.estimate for each in differences], values, designs, generator)
    p_value = sign_flip(contributions(differences), generator)
    p_non_inferiority = float(non_inferiority(change, margin))
    low, high = change.interval(level)
    return average.model_copy(
        update={
            "alignment_tax": 0.0 - float(change.value),
            "alignment_tax_ci": (0.0 - float(high), 0.0 - float(low)),
            "p_value": p_value,
            "p_non_inferiority": p_non_inferiority,
            "margin": margin,
            "smallest_detectable_difference": smallest_detectable(change, level),
            "smallest_provable_margin": smallest_provable(change, level),
            "verdict": verdict(float(change.value), p_value, p_non_inferiority, level),
        }
    )


def contributions(differences: Sequence[Difference]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What every cluster of every task adds to the difference of the macro-averages; shape (clusters,)."""
    shares = [each.design.totals(each.values) / each.design.n_items for each in differences]
    return np.concatenate(shares) / len(differences)
