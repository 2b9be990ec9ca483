"""Do the intervals and verdicts of toxicity hold what they promise, where few prompts change much and where texts stop?

    python benchmarks/coverage_toxicity.py           1,000 replications: about 5 minutes of one core
    python benchmarks/coverage_toxicity.py --quick   a few seconds, to see that it works
    python benchmarks/coverage_toxicity.py --json    one JSON object a line instead of the table

Every prompt has its own chance that a continuation is toxic, Beta(0.6, 1.9), and a score is a draw from one of two Beta
distributions: a mixture whose expected maximum of 25 is about 0.6. 100, 300 or 1,000 prompts, 25 samples of each from
either model. The measure is the expected maximum of 10 of them; before, the maximum of all 25. Changes: none; all
chances halved; skewed, one prompt in twenty at its worst and the others better, so that the mean stays; and rises of
exactly the margin, of all prompts or of few of them, for which `preserved` is false. Empty texts: of a baseline 2 %, of
the model more by an excess, with an ICC of 0.3 within prompts; before, by the rates alone. Exit code 1 when a goal is
missed beyond two standard errors of the simulation: coverage 94 % without skew, false `preserved` 2.5 % where all
prompts rise, a model called not comparable in 2.5 % where it keeps the limit, and one that is mute found in 99 % from
20 prompts on. First of all it prints how many prompts each measure takes, of more and of less toxic prompts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, norm
from side_by_side import Row, row_of, run
from simulated import seeded

from mplus_eval.harmlessness.comparability import comparability
from mplus_eval.harmlessness.measures import expected_maximum
from mplus_eval.harmlessness.sanity_intervals import share_interval
from mplus_eval.records.toxicity import Sanity
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.hypothesis_tests import sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference

N_PROMPTS = (100, 300, 1000)
N_SAMPLES, K, MARGIN, LEVEL = 25, 10, 0.02, 0.05
CHANCE = (0.6, 1.9)
LESS_TOXIC = ((0.5, 4.0), (0.3, 6.0))
CALM, TOXIC = (1.2, 14.0), (5.0, 2.5)
SKEWED, FEW = 0.05, 0.1
GRID = np.linspace(0.0, 1.0, 401)
CELLS = 2_000_000
"""Scores that are drawn at once."""

Change = Callable[[Floats, Floats], Floats]
"""Every prompt's chance of a toxic text as another model has it, from the chance and a number from 0 to 1 that says
whether the prompt is one of the few that change; shapes (..., prompts)."""


def halved(chance: Floats, place: Floats) -> Floats:
    """Half as often toxic on every prompt."""
    return chance / 2.0


def unchanged(chance: Floats, place: Floats) -> Floats:
    """The same model again."""
    return chance


def risen(share: float, by: float) -> Change:
    """A change of some prompts, so many of all: their chance moves by so much of the way to 1."""

    def change(chance: Floats, place: Floats) -> Floats:
        return np.where(place < share, chance + by * (1.0 - chance), chance)

    return change


def skewed(factor: float) -> Change:
    """One prompt in twenty at its worst, all others better by a factor."""

    def change(chance: Floats, place: Floats) -> Floats:
        return np.where(place < SKEWED, 0.95, factor * chance)

    return change


@cache
def _distributions() -> tuple[Floats, Floats]:
    """Of scores of calm and of toxic texts, at the points of the grid."""
    return beta.cdf(GRID, *CALM), beta.cdf(GRID, *TOXIC)


@cache
def _population(chances: tuple[float, float] = CHANCE) -> Floats:
    """Chances of 20,000 prompts, evenly spread over their distribution and in no order."""
    return np.random.default_rng(0).permutation(beta.ppf((np.arange(20_000) + 0.5) / 20_000, *chances))


def true_maximum(chance: Floats, k: int) -> float:
    """The expected maximum of k scores, on average over prompts of these chances: ∫ 1 − F(x)^k dx."""
    calm, toxic = _distributions()
    points = np.linspace(0.0, 1.0, 201)
    maxima = [1.0 - np.trapezoid(((1.0 - p) * calm + p * toxic) ** k, GRID) for p in points]
    return float(np.interp(chance, points, maxima).mean())


def true_difference(change: Change, k: int) -> float:
    """Of the expected maximum of k, over the population."""
    chances = _population()
    place = (np.arange(chances.size) + 0.5) / chances.size
    return true_maximum(change(chances, place), k) - true_maximum(chances, k)


@cache
def rise_of_margin(share: float, k: int) -> float:
    """How far the chances of that share of prompts must move for a true rise of the margin."""
    return float(brentq(lambda by: true_difference(risen(share, by), k) - MARGIN, 0.0, 1.0, xtol=1e-6))


@cache
def skew_of_zero(k: int) -> float:
    """How much better the other prompts must be for no change of the mean."""
    return float(brentq(lambda factor: true_difference(skewed(factor), k), 0.3, 1.0, xtol=1e-6))


def scores(chance: Floats, rng: np.random.Generator) -> Floats:
    """Draw the scores of `N_SAMPLES` texts of every prompt; shape (..., prompts, samples)."""
    shape = (*chance.shape, N_SAMPLES)
    levels = np.linspace(0.0, 1.0, 2001)
    calm, toxic = (beta.ppf(levels, *of) for of in (CALM, TOXIC))
    uniform = rng.random(shape)
    is_toxic = rng.random(shape) < chance[..., None]
    return np.where(is_toxic, np.interp(uniform, levels, toxic), np.interp(uniform, levels, calm))


def differences(
    change: Change, k: int, n: int, size: int, rng: np.random.Generator, chances: tuple[float, float] = CHANCE
) -> Iterator[Floats]:
    """Prompts' differences of the expected maximum of k, model less baseline; shape (samples, prompts)."""
    rows = max(1, CELLS // (n * N_SAMPLES))
    for start in range(0, size, rows):
        shape = (min(rows, size - start), n)
        chance = rng.beta(*chances, size=shape)
        sides = [
            expected_maximum(scores(each, rng).reshape(-1, N_SAMPLES), k).reshape(shape)
            for each in (chance, change(chance, rng.random(shape)))
        ]
        yield sides[1] - sides[0]


def _found(change: Change, k: int, n: int, size: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Of every sample: the ends of the interval, the p-value of non-inferiority, and the value; less is better."""
    design = Design.of(np.zeros(n, dtype=int))
    found: dict[str, list[Floats]] = {"low": [], "high": [], "kept": [], "value": []}
    for values in differences(change, k, n, size, rng):
        estimate = paired_difference(-values, design)
        low, high = estimate.interval(LEVEL)
        for name, each in (("low", -high), ("high", -low), ("kept", non_inferiority(estimate, MARGIN))):
            found[name].append(each)
        found["value"].append(values.mean(axis=-1))
    return {name: np.concatenate(each) for name, each in found.items()}


def maximum_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of the difference of expected maxima, of 10 and of 25."""
    for n in N_PROMPTS:
        changes: tuple[tuple[str, Callable[[int], Change], float | None], ...] = (
            ("no change", lambda k: unchanged, 0.94),
            ("halved", lambda k: halved, 0.94),
            ("skewed, mean 0", lambda k: skewed(skew_of_zero(k)), None),
        )
        for kind, change, goal in changes:
            hits, width = {}, 0.0
            for k in (K, N_SAMPLES):
                found = _found(change(k), k, n, n_replications, seeded(seed, "maximum", kind, n, k))
                truth = true_difference(change(k), k)
                hits[k] = (found["low"] <= truth) & (found["high"] >= truth)
                if k == K:
                    width = float(np.median(found["high"] - found["low"]) / (2 * 1.96 * np.std(found["value"])))
            yield row_of(
                "difference of maxima, coverage", kind, n, hits[K], before=hits[N_SAMPLES], width=width, at_least=goal
            )


def preserved_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often `preserved` is said of a rise of exactly the margin, of all prompts and of few of them."""
    for n in N_PROMPTS:
        for kind, share, goal in (("all prompts rise", 1.0, LEVEL / 2), ("one prompt in ten rises", FEW, None)):
            events = {}
            for k in (K, N_SAMPLES):
                change = risen(share, rise_of_margin(share, k))
                found = _found(change, k, n, n_replications, seeded(seed, "preserved", kind, n, k))
                events[k] = found["kept"] < LEVEL / 2
            yield row_of("false preserved", kind, n, events[K], before=events[N_SAMPLES], at_most=goal)


def test_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often the sign-flip test finds a difference where the means are equal."""
    n, size = N_PROMPTS[0], max(5, n_replications // 4)
    design = Design.of(np.zeros(n, dtype=int))
    for kind, change, goal in (
        ("no change", lambda k: unchanged, LEVEL),
        ("skewed, mean 0", lambda k: skewed(skew_of_zero(k)), None),
    ):
        events = {}
        for k in (K, N_SAMPLES):
            rng = seeded(seed, "test", kind, k)
            drawn = np.concatenate(list(differences(change(k), k, n, size, rng)))
            events[k] = np.array([sign_flip(design.totals(one), rng).p_value for one in drawn]) < LEVEL
        yield row_of("false difference", kind, n, events[K], before=events[N_SAMPLES], at_most=goal)


def limit_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often a limit is called broken, and how often it keeps a model from being called improved or preserved."""
    limit, own, icc = 0.10, 0.02, 0.3
    for n in (5, 20, 100, 1000):
        for excess in (0.0, 0.05, 0.10, 0.20, 0.50, 0.96):
            rng = seeded(seed, "limit", n, excess)
            sides = []
            for rate in (own, own + excess):
                concentration = 1.0 / icc - 1.0
                chance = rng.beta(rate * concentration, (1.0 - rate) * concentration, size=(n_replications, n))
                sides.append(rng.binomial(N_SAMPLES, chance) / N_SAMPLES)
            found = [comparability(_empty(model), _empty(base)) for base, model in zip(*sides, strict=True)]
            point = [float(model.mean() - base.mean() > limit) for base, model in zip(*sides, strict=True)]
            kind = f"{100 * excess:.0f} % more empty, limit {100 * limit:.0f} %"
            yield row_of(
                "not comparable", kind, n, [bool(each.reasons) for each in found], before=point,
                at_most=LEVEL / 2 if excess <= limit else None,
                at_least=0.99 if excess > 0.9 and n >= 20 else None,
            )  # fmt: skip
            yield row_of(
                "not improved, not preserved", kind, n, [bool(each.findings) for each in found], before=point,
                at_least=0.99 if excess > 0.9 else None,
            )  # fmt: skip


def _empty(by_prompt: Floats) -> Sanity:
    rate = float(by_prompt.mean())
    return Sanity(
        n_texts=by_prompt.size * N_SAMPLES,
        empty_rate=rate,
        intervals={"empty_rate": share_interval(rate, by_prompt, level=LEVEL)},
    )


def prompts_needed(k: int, margin: float, chances: tuple[float, float], n: int = 20_000) -> float:
    """Prompts that show `preserved` of an unchanged model in 80 %, from the spread of their differences."""
    values = np.concatenate(list(differences(unchanged, k, n, 1, np.random.default_rng(1), chances)))
    return float((norm.ppf(1 - LEVEL / 2) + norm.ppf(0.8)) ** 2 * np.var(values) / margin**2)


def print_margins() -> None:
    """What the margin of 0.02 is of either measure, and the prompts that it takes; the same of an equal share."""
    print(f"{'maximum of':>10s} {'value':>6s} {'0.02 of it':>10s} {'prompts':>8s} {'same share':>11s} {'prompts':>8s}")
    for chances in (CHANCE, *LESS_TOXIC):
        levels = {k: true_maximum(_population(chances), k) for k in (N_SAMPLES, K)}
        for k, level in levels.items():
            same_share = MARGIN / levels[N_SAMPLES] * level
            print(
                f"{k:10d} {level:6.3f} {100 * MARGIN / level:8.1f} % {prompts_needed(k, MARGIN, chances):8,.0f} "
                f"{same_share:11.4f} {prompts_needed(k, same_share, chances):8,.0f}"
            )
    print()


SECTIONS = (maximum_rows, preserved_rows, test_rows, limit_rows)


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", SECTIONS, 1000, "coverage_toxicity", first=print_margins))
