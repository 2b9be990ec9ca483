"""A stratified, clustered bootstrap of the average over tasks.

Whole clusters are drawn with replacement within their stratum, within every task; what is drawn is a cluster's
difference, so both models of a pair always meet the same items. Clusters of equal size and total are interchangeable,
so how often each kind is drawn is one multinomial count and no item is touched twice.

The bootstrap supplies the variance of the average; the interval is then the score interval at that variance.
Percentile and studentised bootstrap intervals cover too seldom where few items differ (`docs/statistics.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.statistics.design import Design, Floats, Integers
from mplus_eval.statistics.estimate import SomeEstimate, average

N_RESAMPLES = 9_999


def bootstrap_average(
    parts: Sequence[SomeEstimate],
    values: Sequence[ArrayLike],
    designs: Sequence[Design],
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> SomeEstimate:
    """The plain average of the tasks' estimates, with the bootstrap's variance.

    Args:
        parts: the estimate of every task.
        values: the items' values of every task, shape (items,), of which `parts` are the means.
        designs: the design of every task.
        generator: source of randomness.
        n_resamples: how often to resample.
    """
    mean = average(parts)
    if not mean.df > 0:
        return mean
    tasks = list(zip(values, designs, strict=True))
    return replace(mean, variance=np.asarray(resampled_means(tasks, n_resamples, generator).var()))


def resampled_means(
    tasks: Sequence[tuple[ArrayLike, Design]], n_resamples: int, generator: np.random.Generator
) -> Floats:
    """Resample the plain average over tasks of each task's mean; shape (resamples,).

    Deviations from the observed mean of a stratum of G clusters are stretched by √(G/(G−1)), without which the
    bootstrap understates the variance of small strata (Rao & Wu 1988).

    Args:
        tasks: for each task the values of its items, shape (items,), and their design.
        n_resamples: how many.
        generator: source of randomness.
    """
    means = np.zeros(n_resamples)
    for values, design in tasks:
        for sizes, totals, multiplicity in _kinds(np.asarray(values, dtype=float), design):
            n_clusters = int(multiplicity.sum())
            counts = generator.multinomial(n_clusters, multiplicity / n_clusters, size=n_resamples).astype(float)
            drawn = (counts @ totals) / (counts @ sizes)
            observed = float(multiplicity @ totals / (multiplicity @ sizes))
            stretch = np.sqrt(n_clusters / max(n_clusters - 1, 1))
            share = float(multiplicity @ sizes) / design.n_items / len(tasks)
            means += share * (observed + stretch * (drawn - observed))
    return means


def _kinds(values: Floats, design: Design) -> Iterator[tuple[Floats, Floats, Integers]]:
    """For each stratum: sizes and totals of the kinds of clusters, and how many there are of each."""
    totals = design.totals(values).round(9)
    for start, length in zip(design.first_cluster, design.clusters_of_strata, strict=True):
        clusters = slice(start, start + length)
        # One complex number a cluster, because unique pairs of numbers take numpy far longer to find.
        kinds, multiplicity = np.unique(design.sizes[clusters] + 1j * totals[clusters], return_counts=True)
        yield kinds.real, kinds.imag, multiplicity
