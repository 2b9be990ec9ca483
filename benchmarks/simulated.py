"""Simulated samples of paired items: designs with strata and clusters, and item differences drawn from them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mplus_eval.statistics.design import Design, Floats

CORRELATION = 0.3
CHUNK = 2000


@dataclass(frozen=True)
class Sample:
    """A design to draw from: each item's stratum and cluster, and its design effect under `CORRELATION`."""

    kind: str
    n: int
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64] | None
    design: Design
    effect: float


def make_sample(kind: str, n: int) -> Sample:
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
    design = Design.of(stratum, cluster)
    return Sample(kind, n, stratum, cluster, design, 1 + CORRELATION * (design.full_effect - 1))


def draw(sample: Sample, up: float, down: float, n_draws: int, rng: np.random.Generator) -> Floats:
    """Item differences of 0/1 scores, shape (n_draws, items): +1 with probability `up`, −1 with `down`, on average."""
    names = np.unique(sample.stratum, return_counts=True)[1]
    factor = np.linspace(0.4, 1.6, names.size) if names.size > 1 else np.ones(1)
    factor = (factor / (factor @ names / sample.n))[sample.stratum]
    uniform = rng.random((n_draws, sample.n))
    if sample.cluster is not None:
        codes = np.unique(sample.cluster, return_inverse=True)[1]
        common = rng.random((n_draws, codes.max() + 1))[:, codes]
        uniform = np.where(rng.random(uniform.shape) < np.sqrt(CORRELATION), common, uniform)
    return (uniform < up * factor).astype(float) - (uniform > 1 - down * factor)


def chunks(n_replications: int) -> Iterator[int]:
    """Split the replications so that memory stays small."""
    for start in range(0, n_replications, CHUNK):
        yield min(CHUNK, n_replications - start)


def seeded(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for every line, so that lines do not depend on one another."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])
