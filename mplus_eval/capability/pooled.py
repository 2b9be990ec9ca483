"""A detector beside the suite's verdict: the items of all tasks pooled, each counting alike.

The macro-average gives a task of 362 items the weight of one of 14,042, so its error is that of the small tasks. A
small loss that all items share is found sooner by counting items (Kübler et al. 2026, arXiv 2602.10144); where tasks
differ, the pooled difference is that of the large ones. So it finds, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mplus_eval.records.comparison import Pooled
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.difference import Difference
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.pairing import PairedItems


def pooled(
    pairs: Mapping[str, PairedItems],
    differences: Mapping[str, Difference],
    generator: np.random.Generator,
    level: float,
) -> Pooled:
    """The difference over the items of all tasks, clustered McNemar (sign flips by whole cluster).

    Args:
        pairs: by task.
        differences: of the same tasks, of scores in [0, 1].
        generator: source of randomness, where signs are drawn.
        level: of the interval.
    """
    values = np.concatenate([differences[task].values for task in pairs])
    strata = np.concatenate([[f"{task}/{name}" for name in pair.before.strata] for task, pair in pairs.items()])
    labels, n_labels = [], 0
    for pair in pairs.values():
        own = np.arange(len(pair)) if pair.before.clusters is None else pair.before.clusters
        labels.append(own + n_labels)
        n_labels += int(own.max(initial=-1)) + 1
    design = Design.of(strata, np.concatenate(labels))
    found = paired_difference(values, design)
    low, high = found.interval(level)
    return Pooled(
        difference=float(found.value),
        ci=(float(low), float(high)),
        n_pairs=len(values),
        p_value=sign_flip(design.totals(values), generator).p_value,
    )
