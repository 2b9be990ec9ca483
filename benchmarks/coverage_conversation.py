"""Do the intervals of win rates, Bradley–Terry ratings and differences of ratings cover?

    python benchmarks/coverage_conversation.py           1,000 replications: about 5 minutes of one core
    python benchmarks/coverage_conversation.py --quick   a few seconds, to see that it works
    python benchmarks/coverage_conversation.py --json    one JSON object a line instead of the table

30, 80 or 160 dialogues of two turns in eight categories; three pairs in ten are ties, fewer where a model wins nearly
always. The verdicts on the two turns of a dialogue correlate by the ICC, and those on two models' answers by 0.3, for
they met the same answers of the baseline. Before: the percentile bootstrap over dialogues, its deviations stretched by
√(G/(G − 1)), which knew no interval of a difference. Exit code 1 when coverage falls below 94 %, beyond two standard
errors of the simulation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import logit
from side_by_side import Row, row_of, run
from simulated import seeded

from mplus_eval.conversation.ratings import POINTS, PreferencePairs, Ratings, ratings
from mplus_eval.conversation.win_rate import win_interval
from mplus_eval.statistics.design import Design, Floats

N_DIALOGUES = (30, 80, 160)
ICCS = (0.0, 0.5, 0.95)
WIN_RATES = (0.5, 0.6, 0.75, 0.9, 0.95)
PAIRS_OF_MODELS = ((0.5, 0.5), (0.75, 0.6), (0.9, 0.75), (0.95, 0.95), (0.95, 0.5))
ROUND_ROBIN = ((0.0, 0.5, 1.0), (0.0, 1.0, 2.5))
N_TURNS, N_CATEGORIES, TIES, SHARED = 2, 8, 0.3, 0.3
N_RESAMPLES = 999
GOAL = 0.94


def preferences(
    win_rates: Sequence[float], icc: float, n_dialogues: int, size: int, rng: np.random.Generator
) -> Floats:
    """Draw verdicts on models against one baseline; shape (size, models, dialogues, turns)."""
    shape = (size, len(win_rates), n_dialogues, N_TURNS)
    turns = np.where(rng.random(shape) < np.sqrt(SHARED), rng.random((size, 1, *shape[2:])), rng.random(shape))
    dialogue_of_all = rng.random((size, 1, n_dialogues, 1))
    dialogue = np.where(rng.random((*shape[:3], 1)) < np.sqrt(SHARED), dialogue_of_all, rng.random((*shape[:3], 1)))
    uniform = np.where(rng.random(shape) < np.sqrt(icc), dialogue, turns)
    rate = np.asarray(win_rates)[:, None, None]
    ties = np.minimum(TIES, 1.6 * (1.0 - rate))
    lost = 1.0 - rate - ties / 2.0
    return np.where(uniform < lost, 0.0, np.where(uniform < lost + ties, 0.5, 1.0))


def covers(low: Floats, high: Floats, truth: float) -> Floats:
    """Whether each interval holds the truth."""
    return np.asarray((np.asarray(low) <= truth + 1e-9) & (np.asarray(high) >= truth - 1e-9), dtype=float)


def relative_width(low: Floats, high: Floats, values: Floats) -> float:
    """Width of the median interval over 2 · 1.96 standard deviations of the estimate."""
    return float(np.median(np.asarray(high) - np.asarray(low)) / (2 * 1.96 * np.std(values)))


def win_rate_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of the win rate's interval."""
    for n_dialogues in N_DIALOGUES:
        dialogues = np.repeat(np.arange(n_dialogues), N_TURNS)
        design = Design.of(dialogues % N_CATEGORIES, dialogues)
        for icc in ICCS:
            for rate in WIN_RATES:
                rng = seeded(seed, "win rate", n_dialogues, icc, rate)
                drawn = preferences([rate], icc, n_dialogues, n_replications, rng).reshape(n_replications, -1)
                low, high = win_interval(2.0 * drawn - 1.0, design)
                yield row_of(
                    "win rate", f"{100 * rate:.0f} %, ICC {icc:g}", n_dialogues, covers(low, high, rate),
                    width=relative_width(low, high, drawn.mean(axis=-1)), at_least=GOAL,
                )  # fmt: skip


def rating_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage of ratings and of their differences, where every model met the baseline alone."""
    for n_dialogues in N_DIALOGUES:
        for icc in ICCS:
            for rates in PAIRS_OF_MODELS:
                rng = seeded(seed, "ratings", n_dialogues, icc, rates)
                drawn = preferences(rates, icc, n_dialogues, n_replications, rng)
                yield from _rated(drawn, rates, f"ICC {icc:g}", bootstrapped(drawn, rng))


def _rated(drawn: Floats, rates: Sequence[float], kind: str, before: tuple[Floats, Floats]) -> Iterator[Row]:
    found = [_ratings(one) for one in drawn]
    truths = POINTS * logit(np.asarray(rates))
    n_dialogues = drawn.shape[2]
    for place, rate in enumerate(rates):
        if rate in rates[:place]:
            continue
        of_model = [{each.model: each for each in one.models}[f"model {place}"] for one in found]
        low, high = np.array([each.ci or (-np.inf, np.inf) for each in of_model]).T
        yield row_of(
            "rating", f"{100 * rate:.0f} %, {kind}", n_dialogues, covers(low, high, truths[place]),
            before=covers(before[0][:, place], before[1][:, place], truths[place]),
            width=relative_width(low, high, np.array([each.value for each in of_model])), at_least=GOAL,
        )  # fmt: skip
    signs = [1.0 if one.differences[0].model == "model 0" else -1.0 for one in found]
    values = np.array([sign * one.differences[0].value for sign, one in zip(signs, found, strict=True)])
    ends = [sorted(sign * end for end in one.differences[0].ci) for sign, one in zip(signs, found, strict=True)]
    low, high = np.array(ends).T
    yield row_of(
        "difference of two ratings", f"{100 * rates[0]:.0f} and {100 * rates[1]:.0f} %, {kind}", n_dialogues,
        covers(low, high, truths[0] - truths[1]), width=relative_width(low, high, values), at_least=GOAL,
    )  # fmt: skip


def _ratings(drawn: Floats) -> Ratings:
    """Of one sample, shape (models, dialogues, turns)."""
    n_models, n_dialogues, n_turns = drawn.shape
    models = [f"model {place}" for place in range(n_models) for _ in range(n_dialogues * n_turns)]
    dialogues = np.tile(np.repeat(np.arange(n_dialogues), n_turns), n_models)
    pairs = PreferencePairs(models, ["base"] * len(models), drawn.ravel(), dialogues, dialogues % N_CATEGORIES)
    return ratings(pairs, "base")


def bootstrapped(drawn: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Ends of the percentile intervals in points, shape (size, models); open where a model won or lost every pair."""
    n_dialogues, n_pairs = drawn.shape[2], drawn.shape[2] * drawn.shape[3]
    wins = drawn.sum(axis=-1)
    counts = rng.multinomial(n_dialogues, np.full(n_dialogues, 1.0 / n_dialogues), size=N_RESAMPLES).T
    values = logit((wins.sum(axis=-1) + 0.5) / (n_pairs + 1))[..., None]
    stretch = np.sqrt(n_dialogues / (n_dialogues - 1))
    resampled = values + stretch * (logit((wins @ counts + 0.5) / (n_pairs + 1)) - values)
    low, high = POINTS * np.quantile(resampled, [0.025, 0.975], axis=-1)
    decided = np.isin(wins.sum(axis=-1), (0.0, float(n_pairs)))
    return np.where(decided, -np.inf, low), np.where(decided, np.inf, high)


def round_robin_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Coverage where each two of three models met in every dialogue: the jackknife's."""
    meetings = ((1, 0), (2, 0), (2, 1))
    for n_dialogues in N_DIALOGUES:
        for strengths in ROUND_ROBIN:
            rng = seeded(seed, "round robin", n_dialogues, strengths)
            rates = [1.0 / (1.0 + np.exp(strengths[j] - strengths[i])) for i, j in meetings]
            drawn = preferences(rates, 0.5, n_dialogues, n_replications, rng)
            hits: dict[str, list[float]] = {"rating": [], "difference of two ratings": []}
            for one in drawn:
                found = _round_robin(one, meetings)
                best = {each.model: each for each in found.models}["model 2"]
                apart = found.differences[0]
                sign = 1.0 if apart.model == "model 2" else -1.0
                for what, (low, high), truth in (
                    ("rating", best.ci or (-np.inf, np.inf), strengths[2]),
                    ("difference of two ratings", apart.ci, sign * (strengths[2] - strengths[1])),
                ):
                    hits[what].append(float(low <= POINTS * truth <= high))
            for what, events in hits.items():
                kind = f"all pairs of three, log-odds {', '.join(f'{each:g}' for each in strengths)}"
                yield row_of(what, kind, n_dialogues, events, at_least=GOAL)


def _round_robin(drawn: Floats, meetings: Sequence[tuple[int, int]]) -> Ratings:
    names = ("base", "model 1", "model 2")
    each = drawn.shape[1] * drawn.shape[2]
    first = [names[i] for i, _ in meetings for _ in range(each)]
    second = [names[j] for _, j in meetings for _ in range(each)]
    dialogues = np.tile(np.repeat(np.arange(drawn.shape[1]), drawn.shape[2]), len(meetings))
    return ratings(PreferencePairs(first, second, drawn.ravel(), dialogues), "base")


SECTIONS = (win_rate_rows, rating_rows, round_robin_rows)


if __name__ == "__main__":
    sys.exit(run(__doc__ or "", SECTIONS, 1000, "coverage_conversation"))
