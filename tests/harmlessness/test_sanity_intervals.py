from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint

from mplus_eval.harmlessness.continuations import Continuation, Likelihood
from mplus_eval.harmlessness.measures import mean_of
from mplus_eval.harmlessness.refusal_error import measured_error, true_share
from mplus_eval.harmlessness.sanity import measure_sanity
from mplus_eval.harmlessness.sanity_intervals import (
    letter_intervals,
    ratio_interval,
    same_answer_interval,
    share_interval,
)
from mplus_eval.harmlessness.text_measures import divergence, trigrams

WORDS = tuple(f"w{n}ord{n * n}" for n in range(15))


def test_a_share_has_the_interval_of_the_mean_over_prompts() -> None:
    by_prompt = [0.0, 0.5, 1.0, 0.25, 0.0, 0.75]
    assert share_interval(np.mean(by_prompt), by_prompt) == pytest.approx(mean_of(np.array(by_prompt)).ci)


def test_prompts_of_other_sizes_move_it_to_the_share_of_all_texts() -> None:
    low, high = share_interval(0.4, [0.0, 1.0, 0.5, 0.5])
    centred_low, centred_high = mean_of(np.array([0.0, 1.0, 0.5, 0.5])).ci or (0.0, 1.0)
    assert (low, high) == pytest.approx((max(centred_low - 0.1, 0.0), centred_high - 0.1))


def test_the_share_of_one_prompt_may_be_anything() -> None:
    assert share_interval(0.3, [0.3]) == (0.0, 1.0)


def test_equal_answers_have_wilsons_interval_for_half_as_many_draws() -> None:
    # 60 of 100 with the normal quantile, which Student's nears.
    expected = proportion_confint(60_000, 100_000, method="wilson")
    assert same_answer_interval(0.6, 200_000) == pytest.approx(expected, abs=1e-6)
    low, high = same_answer_interval(1.0, 8)
    square = t.ppf(0.975, 7) ** 2
    assert (low, high) == (pytest.approx(4 / (4 + square)), pytest.approx(1.0))


def test_a_ratio_of_equal_sizes_has_the_t_interval_of_the_mean() -> None:
    totals = np.array([3.0, 5.0, 4.0, 8.0])
    half = t.ppf(0.975, 3) * totals.std(ddof=1) / 2 / 10
    assert ratio_interval(totals, [10.0] * 4) == pytest.approx((0.5 - half, 0.5 + half))
    assert ratio_interval([3.0], [10.0]) == (None, None)


def test_a_ratio_that_all_prompts_share_is_sure_whatever_their_sizes() -> None:
    assert ratio_interval([1.0, 2.0, 5.0], [2.0, 4.0, 10.0]) == pytest.approx((0.5, 0.5))


def said(prompt: str, *texts: str) -> list[Continuation]:
    return [Continuation(prompt, each) for each in texts]


def test_letters_have_the_jackknifes_interval_over_prompts() -> None:
    own = [said(f"p{n}", " ".join(WORDS[n : n + 3])) for n in range(6)]
    base = [said(f"p{n}", " ".join(WORDS[n + 4 : n + 8])) for n in range(6)]

    def apart(left_out: int | None) -> float:
        sides = [
            trigrams(each.text for n, texts in enumerate(side) if n != left_out for each in texts)
            for side in (own, base)
        ]
        found = divergence(*sides)
        assert found is not None
        return found

    without = np.array([apart(n) for n in range(6)])
    half = t.ppf(0.975, 5) * (5 * np.var(without)) ** 0.5
    low, high = letter_intervals(own, base)["letter_divergence"]
    assert low == pytest.approx(apart(None) - half)
    assert high == pytest.approx(min(apart(None) + half, 1.0))


def test_many_prompts_are_left_out_in_ten_groups() -> None:
    own = [said(f"p{n}", WORDS[n % 15], WORDS[(n + 1) % 15]) for n in range(40)]
    base = [said(f"p{n}", WORDS[(n + 5) % 15]) for n in range(40)]
    groups = [Counter[str]() for _ in range(10)]
    for n, texts in enumerate(own):
        groups[n % 10].update(trigrams(each.text for each in texts))
    bases = [trigrams(base[n][0].text for n in range(group, 40, 10)) for group in range(10)]
    without = np.array(
        [divergence(sum(groups, Counter[str]()) - groups[g], sum(bases, Counter[str]()) - bases[g]) for g in range(10)],
        dtype=float,
    )
    half = t.ppf(0.975, 9) * (9 * np.var(without)) ** 0.5
    low, high = letter_intervals(own, base)["letter_divergence"]
    whole = divergence(sum(groups, Counter[str]()), sum(bases, Counter[str]()))
    assert whole is not None
    assert (low, high) == pytest.approx((max(whole - half, 0.0), whole + half))


def test_what_is_measured_of_texts_comes_with_its_intervals() -> None:
    texts = [
        Continuation(f"Prompt {n}", text, n_tokens, None, None, None, Likelihood(-2.0 * n_tokens - n % 3, n_tokens))
        for n in range(12)
        for text, n_tokens in (("", 1), ("I cannot help with that.", 6), (" ".join(WORDS[n : n + 4]), 4))
    ]
    found = measure_sanity(texts, texts)
    assert set(found.intervals) == {
        "empty_rate", "copy_rate", "loop_rate", "refusal_bounds", "foreign_letter_rate", "overflowed_rate",
        "perplexity", "bits_per_byte", "letter_divergence", "new_letter_rate", "same_phrase_rate",
    }  # fmt: skip
    assert found.intervals["empty_rate"] == pytest.approx(mean_of(np.full(12, 1 / 3)).ci)
    low, high = mean_of(np.full(12, 1 / 3)).ci or (0.0, 1.0)
    bounds = true_share(low, measured_error())[0], true_share(high, measured_error())[1]
    assert found.intervals["refusal_bounds"] == pytest.approx(bounds)
    losses = [(2.0 * 10 + 2 * (n % 3), 10) for n in range(12)]
    ends = ratio_interval(*zip(*losses, strict=True))
    assert found.intervals["perplexity"] == pytest.approx(tuple(math.exp(end or 0.0) for end in ends))


def test_answers_that_are_the_same_have_an_interval_of_their_number() -> None:
    texts = [each for n in range(9) for each in said(f"Prompt {n}", "Yes.", "No.")]
    assert measure_sanity(texts).intervals["same_answer_rate"] == pytest.approx(same_answer_interval(1.0, 9))


def test_nothing_said_has_no_intervals() -> None:
    assert measure_sanity([]).intervals == {}
