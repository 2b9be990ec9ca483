"""Do the intervals cover and the tests hold their level? A simulation of the statistics as a comparison uses them.

    python benchmarks/coverage.py                full, 10,000 replications
    python benchmarks/coverage.py --quick        a few seconds, to see that it works
    python benchmarks/coverage.py --all          and conversation, toxicity, ratios and sequential runs after it
    python benchmarks/coverage.py --json         one JSON object a line instead of the table

Beside every rate stands that of the method before: a design effect drawn to clusters all alike, scores by their size,
Holm's adjustment, verdicts that failures and guessing could buy. `width` is that of the median interval, in units of
the one that whoever knew the true variance would take. Exit code 1 when a goal is missed beyond two errors of the
simulation:

- where 20 or more independent pairs that differ are expected, 95 % intervals cover in 94 % of samples at least, and are
  no wider than 1.5 of those units
- differences are claimed falsely in 5 % at most; `preserved` in 2.5 % at most, at a true loss of exactly the margin
- no verdict contradicts its interval

Figures without a goal (`shown`): intervals with fewer pairs, and what the stated correlation does not know of: passages
that are lost whole, hidden among items that differ one by one. Conversation, toxicity, ratios and `--sequential` have
simulations of their own, which --all runs after this one: coverage_conversation.py, coverage_toxicity.py,
coverage_ratio.py, coverage_sequential.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from before import Former
from coverage_verdicts import (
    FAMILY,
    LEVEL,
    MARGIN,
    SIZES,
    failure_rows,
    family_rows,
    guessing_rows,
    model_rows,
    power_rows,
)
from side_by_side import Row, row_of, run
from simulated import Sample, chunks, draw, draw_hidden, make_sample, passages, replications, seeded

from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.estimate import ICC, average
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.scores import MeanScore, mean_score

KINDS = ("plain", "stratified", "clustered", "both", "passages")
RATES = ((0.0, 0.02), (0.01, 0.01), (0.01, 0.03), (0.05, 0.05), (0.0, 0.1), (0.15, 0.15), (0.1, 0.3), (0.05, 0.45))
LOSSES = ((0.0, 0.02), (0.01, 0.03), (0.05, 0.07), (0.2, 0.22))
PASSAGES = ((30, 5), (30, 16), (62, 16), (100, 16), (588, 16))
CORRELATIONS = (0.0, 0.05, 0.3, 1.0)
PASSAGE_RATES = ((0.0, 0.02), (0.02, 0.02), (0.01, 0.04), (0.05, 0.05))
SCORES = (0.25, 0.5, 0.8, 0.95)
SUITE_MARGIN = 0.01


def covers(ends: tuple[Floats, Floats], truth: float) -> Floats:
    """Whether the intervals hold the truth."""
    return np.asarray((ends[0] <= truth + 1e-9) & (ends[1] >= truth - 1e-9))


def coverage_row(
    what: str, kind: str, n: int, now: list[Floats], before: list[Floats], truth: float, pairs: float
) -> Row:
    """Judge intervals, given as rows of lower end, upper end and value."""
    low, high, value = np.concatenate(now, axis=-1)
    hits = covers((low, high), truth)
    old = None
    if before:
        old_low, old_high, _ = np.concatenate(before, axis=-1)
        old = covers((old_low, old_high), truth)
    width = float(np.median(high - low) / max(2 * 1.96 * value.std(), 1e-12))
    judged = pairs >= 20
    row = row_of(what, kind, n, hits, before=old, width=width, at_least=0.94 if judged else None)
    # The median of few replications wanders; 1.5 is a goal of the whole simulation.
    too_wide = judged and width > 1.5 and hits.size > 100
    return replace(row, status="MISSED") if too_wide else row


def told(up: float, down: float) -> str:
    """The true shares of items that rise and fall."""
    return f"+{100 * up:g} −{100 * down:g} %"


def intervals(found: PairedDifference | Former | MeanScore) -> Floats:
    """Rows of lower end, upper end and value."""
    low, high = found.interval()
    value = found.up - found.down
    return np.stack([low, high, value])


def difference_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of the paired difference's interval, for 0/1 and for graded scores."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for up, down in RATES:
                rng, found = seeded(seed, "difference", kind, n, up, down), _Found()
                graded = _Found()
                for size in chunks(n_replications, n):
                    values = draw(sample, up, down, size, rng)
                    found.add(values, sample.design)
                    graded.add(values * rng.integers(1, 5, size=values.shape) / 4, sample.design)
                pairs, of = n * (up + down) / sample.effect, f"{kind}, {told(up, down)}"
                yield coverage_row("difference 0/1", of, n, found.now, found.before, up - down, pairs)
                yield coverage_row("difference graded", of, n, graded.now, graded.before, 0.625 * (up - down), pairs)


class _Found:
    """Intervals as they are and as they were, and lower ends as `preserved` asks for them, chunk by chunk."""

    def __init__(self, icc: float = ICC) -> None:
        self.icc, self.now, self.before, self.low = icc, list[Floats](), list[Floats](), list[Floats]()

    def add(self, values: Floats, design: Design) -> None:
        """Estimate samples, shape (samples, items)."""
        self.add_estimates(paired_difference(values, design, icc=self.icc), Former.of(values, design))

    def add_estimates(self, now: PairedDifference, before: Former) -> None:
        """Take estimates of the same samples."""
        self.now.append(intervals(now))
        self.before.append(intervals(before))
        self.low.append(now.interval(LEVEL, cautious=True)[0])

    def preserved(self, margin: float) -> tuple[Floats, Floats]:
        """How often a loss of the margin is excluded, now and before; the test is an interval turned round."""
        return np.concatenate(self.low) > -margin, np.concatenate(self.before, axis=-1)[0] > -margin


def passage_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Passages whose items are alike to any degree; above the stated correlation nothing is promised."""
    for n_passages, size in PASSAGES:
        for icc in CORRELATIONS:
            sample = passages(n_passages, size, icc)
            n = replications(n_replications, sample.n)
            for up, down in PASSAGE_RATES:
                rng, found, feared = seeded(seed, "passages", n_passages, size, icc, up, down), _Found(), _Found(1.0)
                for part in chunks(n, sample.n):
                    values = draw(sample, up, down, part, rng)
                    found.add(values, sample.design)
                    feared.add(values, sample.design)
                of = f"{sample.kind}, icc {icc:g}, {told(up, down)}"
                pairs = sample.n * (up + down) / sample.effect
                promised = pairs if icc <= ICC else 0.0
                yield coverage_row("passages", of, sample.n, found.now, found.before, up - down, promised)
                if icc > ICC:
                    yield coverage_row("passages, icc: 1", of, sample.n, feared.now, found.before, up - down, pairs)
                if down - up == MARGIN:
                    yield from _preserved(found, feared, of, sample, stated=icc <= ICC)


def _preserved(found: _Found, feared: _Found, of: str, sample: Sample, *, stated: bool) -> Iterator[Row]:
    now, before = found.preserved(MARGIN)
    limit = 0.025 if stated else None
    yield row_of("false preserved, passages", of, sample.n, now, before=before, at_most=limit)
    if not stated:
        by_fear, _ = feared.preserved(MARGIN)
        yield row_of("false preserved, icc: 1", of, sample.n, by_fear, before=before, at_most=0.025)


def hidden_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Whole passages lost, 2 points, among items that differ one by one: no design tells them apart; as they are."""
    for n_passages, size in PASSAGES[2:]:
        sample = passages(n_passages, size, 0.0)
        for noise in (0.02, 0.05, 0.1):
            rng, found = seeded(seed, "hidden", n_passages, noise), _Found()
            # Of an item that is lost with its passage the noise is not seen.
            truth = -MARGIN
            for part in chunks(replications(n_replications, sample.n), sample.n):
                found.add(draw_hidden(sample, noise, MARGIN, part, rng), sample.design)
            of = f"{sample.kind}, noise {100 * noise:g} %"
            yield coverage_row("hidden passages", of, sample.n, found.now, found.before, truth, 0.0)
            now, before = found.preserved(MARGIN)
            yield row_of("false preserved, hidden", of, sample.n, now, before=before)


def score_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of one model's score interval; what counts as a pair here is the rarer of right and wrong."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for score in SCORES:
                rng, now = seeded(seed, "score", kind, n, score), list[Floats]()
                for size in chunks(n_replications, n):
                    rare = draw(sample, min(score, 1 - score), 0.0, size, rng)
                    now.append(intervals(mean_score(rare if score <= 0.5 else 1 - rare, sample.design)))
                pairs = n * min(score, 1 - score) / sample.effect
                yield coverage_row("score", f"{kind}, {100 * score:g} %", n, now, [], score, pairs)


def preserved_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often `preserved` is claimed of one task that truly lost exactly the margin."""
    for kind in KINDS:
        for n in SIZES:
            sample = make_sample(kind, n)
            for up, down in LOSSES:
                rng, found = seeded(seed, "preserved", kind, n, up, down), _Found()
                for size in chunks(n_replications, n):
                    found.add(draw(sample, up, down, size, rng), sample.design)
                now, before = found.preserved(MARGIN)
                of = f"{kind}, {told(up, down)}"
                yield row_of("false preserved", of, n, now, before=before, at_most=0.025)


def suite_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """The alignment tax of suites: coverage, and `preserved` at a true loss of exactly its margin."""
    for kinds in (("plain",), ("plain", "clustered", "both"), FAMILY):
        for n in SIZES:
            samples = [make_sample(kind, n) for kind in kinds]
            for up, down in ((0.0, 0.01), (0.01, 0.02), (0.145, 0.155)):
                rng, found = seeded(seed, "suite", len(kinds), n, up, down), _Found()
                for size in chunks(replications(n_replications, n * len(kinds)), n * len(kinds)):
                    _add_suite(found, [draw(sample, up, down, size, rng) for sample in samples], samples)
                of = f"{len(kinds)} task{'s' * (len(kinds) > 1)}, {told(up, down)}"
                pairs = sum(sample.n * (up + down) / sample.effect for sample in samples)
                yield coverage_row("alignment tax", of, n, found.now, found.before, up - down, pairs)
                now, before = found.preserved(SUITE_MARGIN)
                yield row_of("suite: false preserved", of, n, now, before=before, at_most=0.025)


def _add_suite(found: _Found, values: Sequence[Floats], samples: Sequence[Sample]) -> None:
    both = list(zip(values, (sample.design for sample in samples), strict=True))
    now = average([paired_difference(*each) for each in both])
    found.add_estimates(now, Former.average([Former.of(*each) for each in both]))


def hidden_suite_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Ten plain tasks of 200 items in which 5 % differ, and one of 30 passages of 16 that loses whole ones."""
    plain, reading = make_sample("plain", 200), passages(30, 16, 0.0)
    samples = [*[plain] * 10, reading]
    for lost in (0.02, 0.04, 0.08):
        rng, found = seeded(seed, "hidden suite", lost), _Found()
        for size in chunks(n_replications, 2_480):
            values = [draw(plain, 0.025, 0.025, size, rng) for _ in range(10)]
            _add_suite(found, [*values, draw_hidden(reading, 0.0, lost, size, rng)], samples)
        of = f"one of 11 tasks loses {100 * lost:g} % whole"
        yield coverage_row("alignment tax, hidden", of, 2_480, found.now, found.before, -lost / 11, 0.0)


SECTIONS = (
    difference_rows,
    passage_rows,
    hidden_rows,
    score_rows,
    preserved_rows,
    failure_rows,
    guessing_rows,
    family_rows,
    power_rows,
    suite_rows,
    hidden_suite_rows,
    model_rows,
)

OTHERS = ("conversation", "toxicity", "ratio", "sequential")


def main() -> int:
    """Simulate, and with --all the others too, each with the options that were given; 1 where any misses a goal."""
    wants_all = "--all" in sys.argv
    options = sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--all"]
    exit_codes = [run(__doc__, SECTIONS, 10_000, "coverage")]
    for name in OTHERS if wants_all else ():
        print(f"\n{name}", flush=True)
        script = Path(__file__).with_name(f"coverage_{name}.py")
        exit_codes.append(subprocess.run([sys.executable, str(script), *options], check=False).returncode)
    return max(exit_codes)


if __name__ == "__main__":
    sys.exit(main())
