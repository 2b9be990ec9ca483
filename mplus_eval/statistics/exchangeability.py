"""Is one order of things singled out among orders that are all alike to somebody who never saw it?

A model that was trained on a dataset's file finds the items likelier in the file's order than in others (Oren et al.,
arXiv 2310.17623). If it was not, the file's order is one of many: within every shard it may as well have been any of
those that were tried. The test draws one order for each shard, again and again, and counts how often their gain is as
large as the file's. Unlike the t-test of the paper it is exact at any number of shards, since it assumes only that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

N_DRAWS = 9_999
"""With them no p-value is below 1/10,000."""
_SAME = 1e-12


@dataclass(frozen=True)
class Exchangeability:
    """What the test found.

    Attributes:
        p_value: one-sided, that the first column is larger than the others.
        gain: mean over rows of the first column minus the mean of the others, in the unit of the values.
        n_rows: rows that tell something; where all values are equal, none does.
    """

    p_value: float
    gain: float
    n_rows: int


def exchangeability_test(values: ArrayLike, generator: np.random.Generator) -> Exchangeability:
    """Test that the first column is no larger than any other, row by row.

    Rows count alike, whatever their spread: each is divided by its own standard deviation, which is the same whichever
    column is first. The p-value is (b + 1)/(m + 1) over `N_DRAWS` random choices of a column in every row (Phipson &
    Smyth 2010).

    Args:
        values: shape (rows, columns), two columns at least; the first is the one that is singled out.
        generator: source of randomness.
    """
    table = np.asarray(values, dtype=float)
    spread = table.std(axis=1)
    told = spread > _SAME * np.maximum(np.abs(table).max(axis=1, initial=0.0), 1.0)
    gain = float((table[:, 0] - table[:, 1:].mean(axis=1)).mean()) if len(table) else 0.0
    if not told.any():
        return Exchangeability(1.0, gain, 0)
    scaled = (table[told] - table[told].mean(axis=1, keepdims=True)) / spread[told, None]
    observed = float(scaled[:, 0].sum())
    n_rows, n_columns = scaled.shape
    as_large = 0
    for start in range(0, N_DRAWS, 1000):
        n_draws = min(1000, N_DRAWS - start)
        chosen = generator.integers(n_columns, size=(n_draws, n_rows))
        sums = scaled[np.arange(n_rows), chosen].sum(axis=1)
        as_large += int((sums >= observed - 1e-9 * n_rows).sum())
    return Exchangeability((as_large + 1) / (N_DRAWS + 1), gain, n_rows)


def min_k(log_probabilities: ArrayLike, share: float) -> float:
    """Min-K%: the mean log-probability of the least likely tokens of a text (Shi et al., arXiv 2310.16789).

    Args:
        log_probabilities: shape (tokens,), natural, one token at least.
        share: of the tokens, rounded up to one at least; the paper takes 0.2.
    """
    values = np.sort(np.asarray(log_probabilities, dtype=float))
    return float(values[: max(1, int(np.ceil(share * values.size)))].mean())
