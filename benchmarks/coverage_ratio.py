"""Do the intervals of bits per byte and perplexity cover, and do their tests hold their level?

    python benchmarks/coverage_ratio.py           2,000 replications: about 4 minutes of one core
    python benchmarks/coverage_ratio.py --quick   a few seconds, to see that it works

Texts of very different lengths (their logarithms have a standard deviation of 0.5 or 1) change by amounts of their own.
Width is over that of an interval whose error is known. A false difference is a test below 5 % beside an interval
without 0, where nothing differs; false `preserved` is shown at a true loss of exactly the margin, 1 %. The test, which
draws signs, is put to a quarter of the replications.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from printout import add_write, printed
from simulated import seeded
from simulated_texts import KINDS, Drawn, draw_texts

from mplus_eval.statistics.hypothesis_tests import sign_flip

SIZES = (10, 62, 300)
"""Wikitext's test split has 62 texts."""
SPREADS = (0.5, 1.0)
MARGIN, LEVEL = 0.01, 0.05


@dataclass(frozen=True)
class Row:
    """One line: coverage, width over the oracle's, and the rates of false findings."""

    measure: str
    kind: str
    spread: float
    n: int
    covered: float
    width: float
    different: float
    preserved: float

    def __str__(self) -> str:
        """As a line of the table."""
        return (
            f"{self.measure:12s} {self.kind:14s} {self.spread:6.1f} {self.n:5d} {100 * self.covered:8.1f} % "
            f"{self.width:6.2f} {100 * self.different:10.1f} % {100 * self.preserved:8.1f} %"
        )


def rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Every measure, kind of change, spread of lengths and number of texts."""
    for exponential in (False, True):
        for kind in KINDS:
            for spread in SPREADS:
                for n in SIZES:
                    yield _row(kind, spread, n, n_replications, seed, exponential=exponential)


def _row(kind: str, spread: float, n: int, n_replications: int, seed: int, *, exponential: bool) -> Row:
    rng = seeded(seed, kind, spread, n, exponential)

    def drawn(change: float) -> Drawn:
        return draw_texts(kind, n, spread, change, rng, exponential=exponential)

    lost = [drawn(MARGIN).difference(MARGIN) for _ in range(n_replications)]
    ends = np.array([each.interval(LEVEL) for each in lost])
    values = np.array([each.value for each in lost])
    oracle = 2 * 1.959964 * float(np.std(values))
    return Row(
        measure="perplexity" if exponential else "bits per byte",
        kind=kind,
        spread=spread,
        n=n,
        covered=float(np.mean((ends[:, 0] <= MARGIN) & (ends[:, 1] >= MARGIN))),
        width=float(np.mean(ends[:, 1] - ends[:, 0]) / oracle),
        different=float(np.mean([_is_different(drawn(0.0), rng) for _ in range(max(n_replications // 4, 1))])),
        preserved=float(np.mean([each.p_non_inferiority < LEVEL / 2 for each in lost])),
    )


def _is_different(drawn: Drawn, rng: np.random.Generator) -> bool:
    """Whether a difference is claimed: by the interval, and by the test."""
    low, high = drawn.difference(MARGIN).interval(LEVEL)
    if low <= 0 <= high:
        return False
    flipped = drawn.texts.design.totals(drawn.texts.contributions(drawn.before, drawn.after))
    return sign_flip(flipped, rng).p_value < LEVEL


def simulate(options: argparse.Namespace) -> int:
    """Simulate and print."""
    n_replications = min(options.replications, 30) if options.quick else options.replications
    started = time.process_time()
    print(
        f"{'measure':12s} {'changes':14s} {'spread':>6s} {'n':>5s} {'coverage':>10s} {'width':>6s} "
        f"{'difference':>12s} {'preserved':>10s}"
    )
    for row in rows(n_replications, options.seed):
        print(row, flush=True)
    print(f"{n_replications} replications, {time.process_time() - started:.0f} s of CPU")
    return 0


def main() -> int:
    """Read what is asked for, and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="30 replications at most: shows the form, proves nothing")
    add_write(parser)
    return printed(parser.parse_args(), simulate, "coverage_ratio")


if __name__ == "__main__":
    sys.exit(main())
