from __future__ import annotations

import math

import numpy as np
import pytest

from mplus_eval.statistics.texts import LARGEST_VALUE, LogEstimate, Texts, ratio_score

LOSSES, BYTES = np.array([6.0, 3.0, 3.0]), np.array([4.0, 2.0, 6.0])


def texts(weights=BYTES, strata=None, clusters=None, *, exponential=False, by_size=True) -> Texts:
    labels = ["s"] * len(weights) if strata is None else strata
    return Texts.of(weights, labels, clusters, exponential=exponential, by_size=by_size)


def drawn(rng, n, spread=0.5):
    """Lengths and losses of some texts."""
    weights = np.round(100 * np.exp(rng.normal(0, spread, n))) + 5
    return weights, weights * rng.gamma(30, 1 / 30, n)


# The value


def test_a_value_is_the_sum_of_losses_over_the_sum_of_weights():
    assert ratio_score(LOSSES, texts()).value == pytest.approx(12 / 12)
    assert ratio_score(LOSSES, texts(exponential=True)).value == pytest.approx(math.e)


@pytest.mark.parametrize(("by_size", "value"), [(True, 2 / 3 * 1.5 + 1 / 3 * 0.5), (False, 0.5 * 1.5 + 0.5 * 0.5)])
def test_subtasks_are_averaged_by_their_items_or_alike(by_size, value):
    assert ratio_score(LOSSES, texts(strata=["a", "a", "b"], by_size=by_size)).value == pytest.approx(value)


def test_perplexities_of_subtasks_are_averaged_and_not_their_logarithms():
    found = ratio_score(LOSSES, texts(strata=["a", "a", "b"], exponential=True, by_size=False))
    assert found.value == pytest.approx((math.exp(1.5) + math.exp(0.5)) / 2)


def test_values_are_those_of_lm_eval():
    from lm_eval.api.metrics import bits_per_byte, perplexity, weighted_perplexity

    weights, losses = drawn(np.random.default_rng(1), 40)
    pairs = list(zip(-losses, weights, strict=True))
    assert ratio_score(losses / math.log(2), texts(weights)).value == pytest.approx(bits_per_byte(pairs), rel=1e-13)
    ours = ratio_score(losses, texts(weights, exponential=True))
    assert ours.value == pytest.approx(weighted_perplexity(pairs), rel=1e-13)
    ours = ratio_score(losses / 100, texts(np.ones(40), exponential=True))
    assert ours.value == pytest.approx(perplexity(list(-losses / 100)), rel=1e-13)


def test_a_text_without_weight_adds_its_loss():
    found = ratio_score(LOSSES, texts(np.array([4.0, 2.0, 0.0])))
    assert found.value == pytest.approx(2.0)
    assert np.isfinite(found.interval(0.05)).all()


def test_a_hopeless_perplexity_is_the_largest_that_is_told():
    assert ratio_score(LOSSES * 1e4, texts(exponential=True)).value == pytest.approx(LARGEST_VALUE)


def test_nothing_lost_is_a_value_of_0():
    assert ratio_score(np.zeros(3), texts()).value == 0.0
    assert ratio_score(np.zeros(3), texts()).interval(0.05) == (0.0, pytest.approx(LARGEST_VALUE))


# Its precision


def test_texts_of_one_length_are_as_precise_as_a_mean():
    """A perplexity of texts that weigh the same, and whose losses have no skewness, has Student's interval."""
    from scipy.stats import ttest_1samp

    half = np.random.default_rng(2).normal(0, 0.3, 12)
    losses = 3 + np.concatenate([half, -half])
    interval = ttest_1samp(losses, 0).confidence_interval(0.95)
    found = ratio_score(losses, texts(np.ones(24), exponential=True))
    assert found.interval(0.05) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))


def test_the_error_is_the_jackknifes():
    """Text by text left out by hand, the value computed anew each time."""
    weights, losses = drawn(np.random.default_rng(4), 12)
    of = texts(weights, ["a", "b"] * 6)
    left = []
    for k in range(12):
        keep = np.arange(12) != k
        chosen = [keep & (of.subtasks == s) for s in range(2)]
        left.append(math.log(sum(losses[each].sum() / weights[each].sum() / 2 for each in chosen)))
    found = ratio_score(losses, of).log
    deviations = np.array(left) - found.value
    expected = sum(5 / 6 * np.sum(deviations[of.subtasks == s] ** 2) for s in range(2))
    assert found.error**2 == pytest.approx(expected)


def test_texts_of_one_cluster_are_left_out_together():
    """Texts that are cut in pieces say no more than they do whole."""
    weights, losses = drawn(np.random.default_rng(5), 20)
    whole = ratio_score(losses, texts(weights))
    pieces = ratio_score(
        np.repeat(losses / 2, 2), texts(np.repeat(weights / 2, 2), clusters=np.repeat(np.arange(20), 2))
    )
    assert pieces.interval(0.05) == pytest.approx(whole.interval(0.05))


def test_long_texts_among_short_ones_leave_fewer_degrees_of_freedom():
    weights = np.array([1000.0, 1000.0, 1000.0, *[1.0] * 30])
    losses = weights * np.random.default_rng(6).gamma(30, 1 / 30, 33)
    assert ratio_score(losses, texts(weights)).log.df == pytest.approx(3030**2 / (3e6 + 30) - 1)


def test_one_cluster_says_nothing_of_its_precision():
    found = ratio_score(LOSSES, texts(clusters=["c"] * 3))
    assert found.interval(0.05) == (0.0, pytest.approx(LARGEST_VALUE))


def test_a_few_large_losses_draw_the_upper_end_up_and_never_the_lower_one():
    """Hall's transformation of Student's quantile by hand, of ten texts of which one lost much."""
    from scipy.stats import t

    losses = np.array([0.0, 0.0, 0.01, 0.01, 0.02, 0.02, 0.0, 0.01, 0.02, 0.5])
    found = ratio_score(losses, texts(np.ones(10), exponential=True)).log
    deviations = losses - losses.mean()
    skewness = np.sum(deviations**3) / np.sum(deviations**2) ** 1.5
    assert found.skewness == pytest.approx(skewness)
    critical = t.ppf(0.975, 9)
    low, high = found.interval(0.05)
    assert low == pytest.approx(found.value - critical * found.error)
    reach = (high - found.value) / found.error
    assert reach > critical
    turned = -reach + skewness * reach**2 / 3 - skewness**2 * reach**3 / 27 + skewness / 6
    assert turned == pytest.approx(-critical)


@pytest.mark.parametrize("skewness", [-1.5, -1e-9, 0.0, 0.4])
def test_the_p_value_is_the_interval_turned_round(skewness):
    found = LogEstimate(0.2, 0.1, 12.0, skewness)
    low, high = found.interval(0.05)
    assert found.p_below(high) == pytest.approx(0.025, rel=1e-6)
    assert found.negated().p_below(-low) == pytest.approx(0.025, rel=1e-6)
    assert found.negated().interval(0.05) == pytest.approx((-high, -low))


# What each text adds


@pytest.mark.parametrize("exponential", [True, False])
def test_contributions_add_up_to_the_change_to_first_order(exponential):
    rng = np.random.default_rng(7)
    weights, before = drawn(rng, 60)
    after = before + weights * rng.normal(0.01, 0.03, 60)
    of = texts(weights, ["a", "b", "c"] * 20, exponential=exponential, by_size=False)
    assert of.contributions(before, after).sum() == pytest.approx(of.log_value(after) - of.log_value(before), rel=1e-3)
