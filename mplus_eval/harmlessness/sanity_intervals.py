"""How far sampling may have moved what is measured of texts: intervals over prompts.

Prompts are what varies independently, so the texts of one prompt stand or fall together in all of these.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike

from mplus_eval.harmlessness.continuations import Continuation, perplexity_of
from mplus_eval.harmlessness.measures import mean_of
from mplus_eval.harmlessness.refusal_error import true_share
from mplus_eval.harmlessness.text_measures import (
    divergence,
    foreign_letters,
    n_bytes,
    normalised,
    trigrams,
    unknown_share,
)
from mplus_eval.records.base import Interval
from mplus_eval.records.toxicity import OpenInterval, RefusalError, Sanity
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.estimate import student_quantile

MOST_GROUPS = 10
"""Groups of prompts of which a jackknife leaves out one after another."""


def sanity_intervals(
    texts: Sequence[Continuation],
    baseline_texts: Sequence[Continuation] | None,
    sanity: Sanity,
    *,
    flags: Mapping[str, Sequence[bool]],
    known_scripts: Collection[str],
    refusal_error: RefusalError,
    level: float,
) -> dict[str, OpenInterval]:
    """The intervals of what a limit stands on, by the names of `Sanity.intervals`.

    Args:
        texts: of one model on one set of prompts.
        baseline_texts: the baseline's on the same; without them, letters have no interval.
        sanity: what was measured of the texts.
        flags: by the name of a rate, whether each text counts for it.
        known_scripts: those that the prompts use.
        refusal_error: how often refusals are mistaken.
        level: intervals have confidence 1 − `level`.
    """
    by_prompt = _places(texts)
    intervals: dict[str, OpenInterval] = {}

    def share(name: str, value: float | None, shares: Iterable[float | None]) -> None:
        known = [each for each in shares if each is not None]
        if value is not None:
            intervals[name] = share_interval(value, known, level=level)

    for name, counted in flags.items():
        share(name, getattr(sanity, name), [fmean(counted[place] for place in of_prompt) for of_prompt in by_prompt])
    if "refusal_rate" in intervals:
        low, high = intervals.pop("refusal_rate")
        assert low is not None
        assert high is not None
        intervals["refusal_bounds"] = true_share(low, refusal_error)[0], true_share(high, refusal_error)[1]
    said = [[texts[place] for place in of_prompt] for of_prompt in by_prompt]
    letters = (foreign_letters(known_scripts, (each.text for each in of_prompt)) for of_prompt in said)
    share("foreign_letter_rate", sanity.foreign_letter_rate, letters)
    if sanity.same_answer_rate is not None:
        n_answers = sum(bool(answer) for answer in first_answers(texts))
        intervals["same_answer_rate"] = same_answer_interval(sanity.same_answer_rate, n_answers, level=level)
    if sanity.n_likelihoods:
        overflowing = [[each.overflows for each in of_prompt if each.judged] for of_prompt in said]
        shares = [fmean(each) for each in overflowing if each]
        share("overflowed_rate", sanity.n_overflowed / sanity.n_likelihoods, shares)
    intervals |= _of_likelihoods(said, sanity, level)
    if baseline_texts is not None and sanity.letter_divergence is not None:
        base = [[baseline_texts[place] for place in of_prompt] for of_prompt in _places(baseline_texts)]
        intervals |= letter_intervals(said, base, level=level)
    return intervals


def first_answers(texts: Sequence[Continuation]) -> list[str]:
    """The first answer to every prompt, whatever its case and spaces."""
    return list({each.prompt: normalised(each.text) for each in reversed(texts)}.values())


def _places(texts: Sequence[Continuation]) -> list[list[int]]:
    """Where the texts of each prompt stand."""
    places: dict[str, list[int]] = {}
    for place, each in enumerate(texts):
        places.setdefault(each.prompt, []).append(place)
    return list(places.values())


def _of_likelihoods(said: Sequence[Sequence[Continuation]], sanity: Sanity, level: float) -> dict[str, OpenInterval]:
    """Intervals of perplexity and of bits per byte, both under the baseline."""
    nats, bits = [], []
    for of_prompt in said:
        judged = [each.judged for each in of_prompt if each.judged and math.isfinite(each.judged.total)]
        nats.append((-sum(each.total for each in judged), sum(each.n_tokens for each in judged)))
        of_bytes = [
            (each.baseline.total, n_bytes(each.text))
            for each in of_prompt
            if each.baseline and each.text.strip()
            if all(math.isfinite(known.total) for known in (each.own, each.baseline) if known)
        ]
        bits.append((-sum(t for t, _ in of_bytes) / math.log(2.0), sum(n for _, n in of_bytes)))
    intervals: dict[str, OpenInterval] = {}
    if sanity.perplexity is not None:
        low, high = ratio_interval(*zip(*(each for each in nats if each[1]), strict=True), level=level)
        most = None if high is None else perplexity_of(high)
        intervals["perplexity"] = (
            None if low is None else perplexity_of(low), most if most is not None and math.isfinite(most) else None
        )  # fmt: skip
    if sanity.bits_per_byte is not None:
        intervals["bits_per_byte"] = ratio_interval(*zip(*(each for each in bits if each[1]), strict=True), level=level)
    return intervals


def share_interval(share: float, by_prompt: ArrayLike, *, level: float = 0.05) -> Interval:
    """The interval of a share, from the same of the texts of each prompt; [0, 1] with one prompt.

    Wilson's at the effective number of prompts, moved to the share over all texts where prompts have more and less.

    Args:
        share: over all texts.
        by_prompt: shape (prompts,); of each prompt's texts.
        level: the interval has confidence 1 − `level`.
    """
    measured = mean_of(np.asarray(by_prompt, dtype=float), level=level)
    if measured.value is None or measured.ci is None:
        return 0.0, 1.0
    low, high = (share + end - measured.value for end in measured.ci)
    return max(low, 0.0), min(high, 1.0)


def same_answer_interval(rate: float, n_answers: int, *, level: float = 0.05) -> Interval:
    """The interval of the chance that two answers are the same, Wilson's for half as many draws as answers.

    The rate is a mean over all pairs of answers, and no less certain than one over pairs that share none (Hoeffding
    1948, theorem 5.2).
    """
    share = float(student_quantile(1.0 - level / 2.0, n_answers - 1)) ** 2 / (n_answers / 2.0)
    centre = (rate + share / 2.0) / (1.0 + share)
    half = float(np.sqrt(rate * (1.0 - rate) * share + share**2 / 4.0)) / (1.0 + share)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def difference_interval(one: float, one_ci: OpenInterval, other: float, other_ci: OpenInterval) -> Interval:
    """The interval of a difference, recovered from those of its two sides, as if they were independent.

    On the same prompts they are so at worst (Newcombe 1998, method 10, without its correlation). An open end of a side
    leaves that end of the difference infinite.
    """

    def way(value: float, end: float | None) -> float:
        return math.inf if end is None else value - end

    difference = one - other
    low = difference - math.hypot(way(one, one_ci[0]), way(other, other_ci[1]))
    return low, difference + math.hypot(way(one, one_ci[1]), way(other, other_ci[0]))


def ratio_interval(totals: ArrayLike, sizes: ArrayLike, *, level: float = 0.05) -> OpenInterval:
    """The interval of Σ totals / Σ sizes over prompts, by Student's t for one prompt less; open with one prompt.

    The variance is that of the totals less the ratio times the sizes (Cochran 1977, equation 6.9).

    Args:
        totals: shape (prompts,).
        sizes: shape (prompts,); of a sum above 0.
        level: the interval has confidence 1 − `level`.
    """
    t, m = np.asarray(totals, dtype=float), np.asarray(sizes, dtype=float)
    n_prompts = t.size
    if n_prompts < 2:
        return None, None
    ratio = float(t.sum() / m.sum())
    variance = n_prompts / (n_prompts - 1) * float(np.sum((t - ratio * m) ** 2)) / float(m.sum()) ** 2
    half = float(student_quantile(1.0 - level / 2.0, n_prompts - 1)) * variance**0.5
    return ratio - half, ratio + half


def letter_intervals(
    said: Sequence[Sequence[Continuation]], by_baseline: Sequence[Sequence[Continuation]], *, level: float = 0.05
) -> dict[str, OpenInterval]:
    """Intervals of `letter_divergence` and `new_letter_rate`, by the jackknife over groups of prompts.

    Args:
        said: the model's texts, by prompt.
        by_baseline: the baseline's.
        level: intervals have confidence 1 − `level`.

    Returns:
        Without a figure that is not known once some group is left out.
    """
    prompts = [of_prompt[0].prompt for of_prompt in by_baseline]
    group_of = {prompt: number % MOST_GROUPS for number, prompt in enumerate(prompts)}
    n_groups = min(MOST_GROUPS, len(prompts))
    of_prompts = trigrams(prompts).keys()
    own, base = (_by_group(texts, group_of, n_groups) for texts in (said, by_baseline))

    def measured(own: Counter[str], base: Counter[str]) -> dict[str, float | None]:
        new = unknown_share(own, base.keys() | of_prompts)
        return {"letter_divergence": divergence(own, base), "new_letter_rate": new}

    all_own, all_base = (sum(groups, Counter[str]()) for groups in (own, base))
    whole = measured(all_own, all_base)
    left_out = [measured(all_own - of_own, all_base - of_base) for of_own, of_base in zip(own, base, strict=True)]
    intervals: dict[str, OpenInterval] = {}
    for name, value in whole.items():
        without = [each for one in left_out if (each := one[name]) is not None]
        if value is not None and len(without) == n_groups:
            intervals[name] = _jackknifed(value, np.array(without), level)
    return intervals


def _by_group(said: Sequence[Sequence[Continuation]], group_of: Mapping[str, int], n_groups: int) -> list[Counter[str]]:
    """Runs of letters of the texts of each group of prompts."""
    groups = [Counter[str]() for _ in range(n_groups)]
    for of_prompt in said:
        groups[group_of.get(of_prompt[0].prompt, 0)].update(trigrams(each.text for each in of_prompt))
    return groups


def _jackknifed(value: float, without: Floats, level: float) -> OpenInterval:
    """θ ± t · se from the values without each group, within [0, 1]; open with one group."""
    n = without.size
    if n < 2:
        return None, None
    error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    half = float(student_quantile(1.0 - level / 2.0, n - 1)) * error
    return max(value - half, 0.0), min(value + half, 1.0)
