"""The design of a sample of items: fixed strata, and clusters of items that stand or fall together.

Subtasks (MMLU subjects) are strata: all of them are always asked, so only the spread within them is uncertainty.
Items that share a passage are a cluster: they are drawn together, so the clusters are what varies independently.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Variance:
    """Variance of a mean, and the degrees of freedom with which it is known.

    `error` is its standard error over itself, by how unequally clusters add to it; 0 where nothing varies.
    """

    value: Floats
    df: Floats
    error: Floats


@dataclass(frozen=True, eq=False)
class Design:
    """Which cluster and which stratum every item belongs to.

    Attributes:
        order: shape (items,); sorts items by stratum, then cluster.
        first_item: shape (clusters,); where each cluster begins in that order.
        first_cluster: shape (strata,); the first cluster of each stratum.
        weights: shape (items,), of mean 1, as the items were given; None where each counts alike.
    """

    order: Integers
    first_item: Integers
    first_cluster: Integers
    weights: Floats | None = None

    @classmethod
    def of(cls, strata: ArrayLike, clusters: ArrayLike | None = None, weights: ArrayLike | None = None) -> Design:
        """Build the design from each item's stratum and cluster labels (None: every item stands alone).

        Weights, above 0 and in any unit, make means weighted ones. Strata that share a cluster are merged, for they do
        not vary independently. Strata with a single cluster show no variance of their own; they are merged with one
        another, and a last one with the smallest stratum, so that their variance is overstated rather than taken for
        zero.
        """
        stratum = _codes(strata)
        cluster = np.arange(stratum.size) if clusters is None else _codes(clusters)
        if clusters is not None:
            stratum = _merge_linked(stratum, cluster)
        stratum = _merge_singles(stratum, cluster)
        order = np.lexsort((cluster, stratum))
        first_item = _starts(cluster[order])
        relative = None if weights is None else _relative(weights)
        return cls(order, first_item, _starts(stratum[order][first_item]), relative)

    @classmethod
    def plain(cls, n_items: int) -> Design:
        """One stratum, in which every item stands alone."""
        return cls.of(np.zeros(n_items, dtype=np.int64))

    @property
    def n_items(self) -> int:
        """Number of items."""
        return int(self.order.size)

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.first_item.size)

    @property
    def n_strata(self) -> int:
        """Number of strata, after merging."""
        return int(self.first_cluster.size)

    @cached_property
    def sizes(self) -> Floats:
        """Items of each cluster, by their weights; shape (clusters,)."""
        return self.totals(np.ones(self.n_items))

    @property
    def is_plain(self) -> bool:
        """Whether every item stands alone and counts alike."""
        return self.n_clusters == self.n_items and self.weights is None

    @property
    def clusters_of_strata(self) -> Integers:
        """Clusters of each stratum; shape (strata,)."""
        return np.diff(np.append(self.first_cluster, self.n_clusters))

    @property
    def full_effect(self) -> float:
        """Kish's design effect were all items of a cluster alike: sum of squared cluster sizes over items."""
        return float(np.sum(self.sizes**2) / self.n_items)

    def mean(self, values: ArrayLike) -> Floats:
        """The mean over items; shape (..., items) to (...)."""
        x = np.asarray(values, dtype=float)
        return np.asarray((x if self.weights is None else x * self.weights).mean(axis=-1))

    def totals(self, values: ArrayLike) -> Floats:
        """Sums over clusters, of values times weights; shape (..., items) to (..., clusters)."""
        x = np.asarray(values, dtype=float)
        ordered = (x if self.weights is None else x * self.weights)[..., self.order]
        return ordered if self.n_clusters == self.n_items else np.add.reduceat(ordered, self.first_item, axis=-1)

    def variance(self, values: ArrayLike) -> Variance:
        """Variance of the mean over items, stratified and clustered; shape (..., items) to (...).

        With T a cluster's total, m its size (both by weights), y the mean of its stratum and G the stratum's clusters,
        the sum over strata of G/(G−1) Σ(T − m·y)² / items² (Miller 2024; Cochran 1977, chapters 5 and 9A). Degrees
        of freedom are Satterthwaite's over strata, each with G−1. One cluster in all says nothing: infinite variance
        with 0 degrees of freedom.
        """
        totals = self.totals(values)
        if self.n_clusters < 2:
            nothing = np.zeros(totals.shape[:-1])
            return Variance(np.full_like(nothing, np.inf), nothing, nothing)
        by_stratum = np.add.reduceat(totals, self.first_cluster, axis=-1)
        items = np.add.reduceat(self.sizes, self.first_cluster)
        groups = self.clusters_of_strata
        residuals = totals - np.repeat(by_stratum / items, groups, axis=-1) * self.sizes
        squares = np.add.reduceat(residuals**2, self.first_cluster, axis=-1)
        scale = groups / (groups - 1) / self.n_items**2
        parts = squares * scale
        value = parts.sum(axis=-1)
        fourth = np.add.reduceat(residuals**4, self.first_cluster, axis=-1) - squares**2 / groups
        error = np.sqrt(np.maximum((fourth * scale**2).sum(axis=-1), 0.0))
        relative = np.divide(error, value, out=np.zeros_like(value), where=value > 0)
        return Variance(value, satterthwaite(parts, groups - 1), relative)


def satterthwaite(parts: Floats, df: Floats | Integers) -> Floats:
    """Degrees of freedom of a sum of independent variances (Satterthwaite 1946); all of `df` where the sum is 0.

    Args:
        parts: shape (..., terms), the variances.
        df: shape (..., terms) or (terms,), their degrees of freedom.
    """
    total = parts.sum(axis=-1)
    spread = np.sum(parts**2 / df, axis=-1)
    everything = np.broadcast_to(np.sum(df, axis=-1), total.shape).astype(float)
    return np.asarray(np.divide(total**2, spread, out=everything.copy(), where=spread > 0))


def _relative(weights: ArrayLike) -> Floats:
    """Weights of mean 1."""
    given = np.asarray(weights, dtype=float)
    return np.asarray(given / given.mean())


def _codes(labels: ArrayLike) -> Integers:
    if isinstance(labels, np.ndarray) and labels.dtype.kind == "U":
        import pandas as pd

        # The same numbers as below, without sorting every text.
        return np.asarray(pd.factorize(labels.astype(object), sort=True)[0], dtype=np.int64)
    return np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _starts(ordered: Integers) -> Integers:
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if ordered.size else np.zeros(0, dtype=np.int64)


def _merge_linked(stratum: Integers, cluster: Integers) -> Integers:
    """Merge strata that have a cluster in common, directly or through others."""
    if not stratum.any():
        return stratum
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_strata = int(stratum.max(initial=-1)) + 1
    ends = (stratum, n_strata + cluster)
    size = n_strata + int(cluster.max(initial=-1)) + 1
    graph = coo_array((np.ones(stratum.size), ends), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][:n_strata].astype(np.int64)
    return np.asarray(labels[stratum])


def _merge_singles(stratum: Integers, cluster: Integers) -> Integers:
    """Merge strata of one cluster; one that is left over joins the smallest other stratum."""
    if not stratum.any():
        return stratum
    n_labels = int(cluster.max()) + 1
    names, groups = np.unique(np.unique(stratum * n_labels + cluster) // n_labels, return_counts=True)
    single = names[groups == 1]
    if single.size == 0 or names.size == 1:
        return stratum
    merged = np.where(np.isin(stratum, single), single[0], stratum)
    if single.size == 1:
        others, sizes = names[groups > 1], groups[groups > 1]
        merged[stratum == single[0]] = others[np.argmin(sizes)]
    return merged
