"""Simulated samples of paired items: designs with strata and clusters, and item differences drawn from them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mplus_eval.statistics.design import Design, Floats

CORRELATION = 0.3
CELLS = 2_000_000
"""Item differences that are drawn at once."""
MANY_ITEMS, FEWER = 5_000, 10
"""From so many items on, so many times fewer samples are drawn."""


@dataclass(frozen=True)
class Sample:
    """A design to draw from: each item's stratum and cluster, and how alike items of a cluster are."""

    kind: str
    n: int
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64] | None
    design: Design
    icc: float = CORRELATION

    @property
    def effect(self) -> float:
        """The design effect that the items truly have."""
        return 1.0 + self.icc * (self.design.full_effect - 1.0)


def make_sample(kind: str, n: int, icc: float = CORRELATION) -> Sample:
    """Strata of unequal size (5 at n = 50, else 10), clusters of 1 to 5 items, or passages of 16 items."""
    stratum = np.zeros(n, dtype=np.int64)
    if kind in ("stratified", "both"):
        weights = np.linspace(1, 3, 5 if n == 50 else 10)
        ends = np.round(np.cumsum(weights) / weights.sum() * n)
        stratum = np.searchsorted(ends, np.arange(n), side="right").astype(np.int64)
    cluster = None
    if kind == "passages":
        cluster = np.arange(n) // 16
    elif kind in ("clustered", "both"):
        cluster = np.zeros(n, dtype=np.int64)
        for name in np.unique(stratum):
            items = np.flatnonzero(stratum == name)
            sizes = np.resize([2, 3, 4, 5, 1], items.size)
            cluster[items] = np.repeat(np.arange(items.size), sizes)[: items.size] + 10_000 * name
    return Sample(kind, n, stratum, cluster, Design.of(stratum, cluster), icc)


def passages(n_passages: int, size: int, icc: float) -> Sample:
    """Passages of one size."""
    n = n_passages * size
    stratum, cluster = np.zeros(n, dtype=np.int64), np.repeat(np.arange(n_passages), size)
    return Sample(f"{n_passages} × {size}", n, stratum, cluster, Design.of(stratum, cluster), icc)


def draw(sample: Sample, up: float, down: float, n_draws: int, rng: np.random.Generator) -> Floats:
    """Item differences of 0/1 scores, shape (n_draws, items): +1 with probability `up`, −1 with `down`, on average.

    Items of a cluster copy a common draw with probability √ρ, so their differences correlate with ρ; strata differ in
    how often items change.
    """
    names = np.unique(sample.stratum, return_counts=True)[1]
    factor = np.linspace(0.4, 1.6, names.size) if names.size > 1 else np.ones(1)
    factor = (factor / (factor @ names / sample.n))[sample.stratum]
    uniform = rng.random((n_draws, sample.n))
    if sample.cluster is not None and sample.icc:
        codes = np.unique(sample.cluster, return_inverse=True)[1]
        common = rng.random((n_draws, codes.max() + 1))[:, codes]
        uniform = np.where(rng.random(uniform.shape) < np.sqrt(sample.icc), common, uniform)
    return (uniform < up * factor).astype(float) - (uniform > 1 - down * factor)


def draw_hidden(sample: Sample, noise: float, lost: float, n_draws: int, rng: np.random.Generator) -> Floats:
    """Items that differ by chance, `noise` of them either way alike, and whole passages that are lost.

    Few differences of single items reassure, and hide that what is truly lost comes passage by passage.
    """
    assert sample.cluster is not None
    uniform = rng.random((n_draws, sample.n))
    single = (uniform < noise / 2).astype(float) - (uniform > 1 - noise / 2)
    gone = rng.random((n_draws, sample.cluster.max() + 1)) < lost
    return np.where(gone[:, sample.cluster], -1.0, single)


def replications(n: int, n_items: int) -> int:
    """How many samples of this size are drawn: of n, a tenth where samples are large."""
    return max(n // FEWER, min(n, 30)) if n_items >= MANY_ITEMS else n


def chunks(n_replications: int, n_items: int = 1000) -> Iterator[int]:
    """Split the replications so that memory stays small."""
    size = max(1, CELLS // n_items)
    for start in range(0, n_replications, size):
        yield min(size, n_replications - start)


def seeded(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for every line, so that lines do not depend on one another."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])
