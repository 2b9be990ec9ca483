"""Do the intervals cover and the tests hold their level? A simulation of the statistics as a comparison uses them.

    python benchmarks/coverage.py                full, 10,000 replications: 6.5 minutes of one core
    python benchmarks/coverage.py --quick        a few seconds, to see that it works
    python benchmarks/coverage.py --json         one JSON object a line instead of the table

Items of a cluster copy a common draw with probability √ρ, so their differences correlate with ρ = 0.3; strata differ in
how often items change; graded scores are multiples of a quarter. Exit code 1 when a goal is missed:

- coverage of 95 % intervals not below 94 %, and within 94 to 96 % wherever 20 or more independent discordant pairs are
  expected (discordant pairs over the true design effect). Above 96 % with n = 50 is printed as `over`, not failed: with
  so few items the difference moves in large steps, and Student's quantile keeps coverage from falling below 94 %.
- family-wise error, and `preserved` at a true loss of exactly the margin, at most 5 % (2.5 % is what is designed).

All within two standard errors of the simulation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from printout import add_write, printed
from simulated import Sample, chunks, draw, make_sample, seeded

from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.estimate import average
from mplus_eval.statistics.hypothesis_tests import mcnemar, sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.scores import mean_score

KINDS = ("plain", "stratified", "clustered", "both", "passages")
SIZES = (50, 200, 1000)
RATES = (
    (0.0, 0.02),
    (0.01, 0.01),
    (0.01, 0.03),
    (0.05, 0.05),
    (0.02, 0.08),
    (0.0, 0.1),
    (0.15, 0.15),
    (0.1, 0.3),
    (0.05, 0.45),
)
SCORES = (0.25, 0.5, 0.8, 0.95)
LEVEL = 0.05
FAMILY = ("plain",) * 5 + ("stratified",) * 3 + ("clustered", "clustered", "both")


@dataclass(frozen=True)
class Row:
    """One line of the table: a rate over replications, its simulation error, and whether it meets its goal."""

    what: str
    kind: str
    n: int
    up: float
    down: float
    discordant: float
    independent: float
    rate: float
    error: float
    status: str


def covered(ends: tuple[Floats, Floats], truth: float) -> NDArray[np.bool_]:
    """Whether the intervals hold the truth."""
    return (ends[0] <= truth + 1e-9) & (ends[1] >= truth - 1e-9)


def coverage_row(what: str, sample: Sample, up: float, down: float, hits: list[float], informative: float) -> Row:
    """Judge a coverage by the goals."""
    rate, independent = float(np.mean(hits)), informative / sample.effect
    error = float(np.sqrt(max(rate * (1 - rate), 1 / len(hits)) / len(hits)))
    status = "ok"
    if rate < 0.94 - 2 * error:
        status = "MISSED"
    elif rate > 0.96 + 2 * error:
        status = "MISSED" if independent >= 20 and sample.n > 50 else "over"
    return Row(what, sample.kind, sample.n, up, down, informative, independent, rate, error, status)


def error_row(
    what: str, kind: str, n: int, up: float, down: float, pairs: tuple[float, float], events: list[float]
) -> Row:
    """Judge the rate of a false finding by the goal; `pairs` are discordant ones, all and independent."""
    rate = float(np.mean(events))
    error = float(np.sqrt(max(rate * (1 - rate), 1 / len(events)) / len(events)))
    status = "MISSED" if rate > 0.05 + 2 * error else "ok"
    return Row(what, kind, n, up, down, *pairs, rate, error, status)


def _pairs(samples: list[Sample], rate: float) -> tuple[float, float]:
    """Expected discordant pairs, and how many independent ones they are worth."""
    return rate * sum(s.n for s in samples), rate * sum(s.n / s.effect for s in samples)


def difference_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of the paired difference's interval, for 0/1 and for graded scores."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for up, down in RATES:
                rng = seeded(seed, "difference", kind, n, up, down)
                hits: list[float] = []
                graded: list[float] = []
                for size in chunks(n_replications):
                    values = draw(sample, up, down, size, rng)
                    hits.extend(covered(paired_difference(values, sample.design).interval(), up - down))
                    part = rng.integers(1, 5, size=values.shape) / 4
                    graded.extend(
                        covered(paired_difference(values * part, sample.design).interval(), (up - down) * 0.625)
                    )
                yield coverage_row("difference 0/1", sample, up, down, hits, n * (up + down))
                yield coverage_row("difference graded", sample, up, down, graded, n * (up + down))


def score_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of one model's score interval; what counts as discordant here is the rarer of right and wrong."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for score in SCORES:
                rng = seeded(seed, "score", kind, n, score)
                hits: list[float] = []
                for size in chunks(n_replications):
                    rare = draw(sample, min(score, 1 - score), 0.0, size, rng)
                    right = rare if score <= 0.5 else 1 - rare
                    hits.extend(covered(mean_score(right, sample.design).interval(), score))
                yield coverage_row("score", sample, score, 0.0, hits, n * min(score, 1 - score))


def preserved_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often `preserved` is claimed of one task that truly lost exactly the margin (0.02)."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for up, down in ((0.0, 0.02), (0.01, 0.03), (0.05, 0.07), (0.2, 0.22)):
                rng = seeded(seed, "preserved", kind, n, up, down)
                events: list[float] = []
                for size in chunks(n_replications):
                    found = paired_difference(draw(sample, up, down, size, rng), sample.design)
                    events.extend(non_inferiority(found, 0.02) < LEVEL / 2)
                yield error_row("false preserved", kind, n, up, down, _pairs([sample], up + down), events)


def family_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Family-wise errors: any difference found under the null, any `preserved` at a loss of the margin.

    Eleven tasks of mixed designs, one of them graded. Holm rejects something exactly when the smallest p-value times
    the number of tasks is below the level.
    """
    for n in SIZES:
        samples = {kind: make_sample(kind, n) for kind in set(FAMILY)}
        for rate in (0.02, 0.1, 0.3):
            rng = seeded(seed, "family", n, rate)
            smallest: list[float] = []
            kept: list[float] = []
            for size in chunks(n_replications):
                null = [_p_difference(samples[kind], rate / 2, size, rng) for kind in FAMILY]
                smallest.extend(np.min(null, axis=0) * len(FAMILY) < LEVEL)
                loss = [_p_preserved(samples[kind], rate, size, rng) for kind in FAMILY]
                kept.extend(np.min(loss, axis=0) * len(FAMILY) < LEVEL / 2)
            pairs, down = _pairs([samples["both"]], rate), rate / 2 + 0.01
            yield error_row("family: difference", "11 tasks", n, rate / 2, rate / 2, pairs, smallest)
            yield error_row("family: false preserved", "11 tasks", n, down - 0.02, down, pairs, kept)


def _p_difference(sample: Sample, rate: float, size: int, rng: np.random.Generator) -> Floats:
    values = draw(sample, rate, rate, size, rng)
    if sample.cluster is None:
        return mcnemar((values < 0).sum(axis=1), (values > 0).sum(axis=1))
    if sample.kind == "both":
        values *= rng.integers(1, 5, size=values.shape) / 4
    return np.array([sign_flip(totals, rng).p_value for totals in sample.design.totals(values)])


def _p_preserved(sample: Sample, rate: float, size: int, rng: np.random.Generator) -> Floats:
    values = draw(sample, rate / 2 - 0.01, rate / 2 + 0.01, size, rng)
    return non_inferiority(paired_difference(values, sample.design), 0.02)


def suite_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of macro-average and alignment tax.

    Suites of one plain task and of three (plain, clustered, both). The true loss is 0.01, the suite's margin, so that
    false `preserved` is read off too.
    """
    for kinds in (("plain",), ("plain", "clustered", "both")):
        for n in SIZES:
            samples = [make_sample(kind, n) for kind in kinds]
            yield _average_row(samples, 0.8, n_replications, seeded(seed, "macro-average", len(kinds), n))
            for up, down in ((0.0, 0.01), (0.01, 0.02), (0.145, 0.155)):
                rng = seeded(seed, "suite", len(kinds), n, up, down)
                yield from _suite_rows(samples, up, down, n_replications, rng)


def _suite_rows(
    samples: list[Sample], up: float, down: float, n_replications: int, rng: np.random.Generator
) -> Iterator[Row]:
    label, n = f"{len(samples)} task{'s' * (len(samples) > 1)}", samples[0].n
    hits: dict[str, list[float]] = {"tax": [], "preserved": []}
    for size in chunks(n_replications):
        values = [draw(sample, up, down, size, rng) for sample in samples]
        found = average([paired_difference(v, sample.design) for v, sample in zip(values, samples, strict=True)])
        hits["tax"].extend(covered(found.interval(), up - down))
        hits["preserved"].extend(non_inferiority(found, 0.01) < LEVEL / 2)
    pairs = sum(sample.n * (up + down) for sample in samples)
    whole = replace(samples[0], kind=label, effect=float(np.mean([sample.effect for sample in samples])))
    yield coverage_row("alignment tax", whole, up, down, hits["tax"], pairs)
    yield error_row("suite: false preserved", label, n, up, down, _pairs(samples, up + down), hits["preserved"])


def _average_row(samples: list[Sample], score: float, n_replications: int, rng: np.random.Generator) -> Row:
    hits: list[float] = []
    for size in chunks(n_replications):
        values = [1 + draw(sample, 0.0, 1 - score, size, rng) for sample in samples]
        means = [mean_score(v, sample.design) for v, sample in zip(values, samples, strict=True)]
        hits.extend(covered(average(means).interval(), score))
    label = f"{len(samples)} task{'s' * (len(samples) > 1)}"
    whole = replace(samples[0], kind=label, effect=float(np.mean([sample.effect for sample in samples])))
    return coverage_row("macro-average", whole, score, 0.0, hits, (1 - score) * sum(s.n for s in samples))


SECTIONS: tuple[Callable[[int, int], Iterator[Row]], ...] = (
    difference_rows,
    score_rows,
    preserved_rows,
    family_rows,
    suite_rows,
)


def main() -> int:
    """Read what is asked for, and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="30 replications at most: shows the form, proves nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_write(parser)
    return printed(parser.parse_args(), simulate, "coverage")


def simulate(options: argparse.Namespace) -> int:
    """Simulate, print, and say by the exit code whether every goal was met."""
    n_replications = min(options.replications, 30) if options.quick else options.replications
    started, rows = time.process_time(), list[Row]()
    if not options.json:
        print(
            f"{'what':24s} {'design':10s} {'n':>5s} {'up':>6s} {'down':>6s} {'pairs':>6s} {'indep.':>6s}  rate ± error"
        )
    for section in SECTIONS:
        for row in section(n_replications, options.seed):
            rows.append(row)
            print(json.dumps(asdict(row)) if options.json else _line(row), flush=True)
    missed = sum(row.status == "MISSED" for row in rows)
    if not options.json:
        print(*summary(rows), sep="\n")
        print(f"{n_replications} replications, {time.process_time() - started:.0f} s of CPU, {missed} goals missed")
    return int(missed > 0 and not options.quick)


def summary(rows: list[Row]) -> Iterator[str]:
    """The range of every rate over the lines of one quantity, design and size; apart for the lines with 20 pairs."""
    yield f"\n{'what':24s} {'design':10s} {'n':>5s}   {'fewer than 20':>17s}   {'20 independent pairs or more':>17s}"
    for key in dict.fromkeys((row.what, row.kind, row.n) for row in rows):
        group = [row for row in rows if (row.what, row.kind, row.n) == key]
        few = _range([row.rate for row in group if row.independent < 20])
        many = _range([row.rate for row in group if row.independent >= 20])
        yield f"{key[0]:24s} {key[1]:10s} {key[2]:5d}   {few:>17s}   {many:>17s}"


def _range(rates: list[float]) -> str:
    return f"{100 * min(rates):.2f} – {100 * max(rates):.2f} %" if rates else ""


def _line(row: Row) -> str:
    return (
        f"{row.what:24s} {row.kind:10s} {row.n:5d} {row.up:6.3f} {row.down:6.3f} {row.discordant:6.0f} "
        f"{row.independent:6.0f}  {100 * row.rate:6.2f} ± {100 * row.error:.2f} %  {row.status}"
    )


if __name__ == "__main__":
    sys.exit(main())
