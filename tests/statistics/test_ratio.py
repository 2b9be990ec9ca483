from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.contrast import contrasts
from mplus_eval.statistics.hypothesis_tests import Significance
from mplus_eval.statistics.measure import Measure
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.ratio import LARGEST, SIGN_FLIP_CLUSTERS, RatioDifference, ratio_difference
from mplus_eval.statistics.texts import Texts
from tests.capability.outcomes import cell

LOSSES, BYTES = np.array([6.0, 3.0, 3.0]), np.array([4.0, 2.0, 6.0])


def scored(losses, weights, *, kind="rate", by_size=True, **columns) -> ScoredItems:
    """Texts as they are stored: a loss for each, and what it is spread over beside it; None failed."""
    metrics = [
        None if loss is None else {"m,none:0": -loss, "m,none:1": w} for loss, w in zip(losses, weights, strict=True)
    ]
    return ScoredItems.of(cell(list(losses), metrics=metrics, **columns), "m,none", Measure(kind, by_size))


def pair_of(before, after, weights=BYTES, **options) -> PairedItems:
    return PairedItems.of(scored(before, weights, **options), scored(after, weights, **options))


def difference(before, after, weights=BYTES, *, higher_is_better=False, margin=0.01, **options) -> RatioDifference:
    pair = pair_of(before, after, weights, **options)
    generator = np.random.default_rng(0)
    return ratio_difference(pair, higher_is_better=higher_is_better, margin=margin, generator=generator)


def drawn(rng, n, spread=0.5):
    """Lengths of some texts and losses of two models."""
    weights = np.round(100 * np.exp(rng.normal(0, spread, n))) + 5
    before = weights * rng.gamma(30, 1 / 30, n)
    return weights, before, before + weights * rng.normal(0.01, 0.03, n)


def test_a_change_is_relative():
    assert difference(LOSSES, LOSSES * 1.02).value == pytest.approx(0.02)
    perplexity = difference(LOSSES, LOSSES + BYTES * math.log(1.02), kind="perplexity")
    assert perplexity.value == pytest.approx(0.02)


def test_swapping_the_models_turns_the_ratio_round():
    weights, before, after = drawn(np.random.default_rng(2), 30)
    options = {"kind": "perplexity", "stratum": ["a", "b", "c"] * 10}
    there, back = difference(before, after, weights, **options), difference(after, before, weights, **options)
    assert (1 + there.value) * (1 + back.value) == pytest.approx(1)
    assert (1 + there.interval(0.05)[0]) * (1 + back.interval(0.05)[1]) == pytest.approx(1)
    assert there.p_value == back.p_value


def test_texts_of_one_length_whose_changes_have_no_skewness_are_compared_by_students_t():
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(3)
    before, half = rng.normal(3, 1, 24), rng.normal(0, 0.3, 12)
    after = before + 0.1 + np.concatenate([half, -half])
    interval = ttest_rel(after, before).confidence_interval(0.95)
    found = difference(before, after, np.ones(24), kind="perplexity", margin=0.5)
    assert found.interval(0.05) == pytest.approx((math.expm1(interval.low), math.expm1(interval.high)))
    assert found.p_non_inferiority == pytest.approx(ttest_rel(after, before + math.log(1.5), alternative="less").pvalue)


def test_the_test_counts_every_pattern_of_signs():
    before, after = np.array([5.0, 4.0, 6.0, 5.0]), np.array([5.5, 4.2, 6.1, 4.9])
    changes = after - before
    sums = [abs(np.dot(signs, changes)) for signs in product((-1, 1), repeat=4)]
    expected = np.mean([each >= abs(changes.sum()) - 1e-12 for each in sums])
    assert difference(before, after, np.full(4, 10.0)).p_value == pytest.approx(expected)


def test_texts_of_a_cluster_flip_together():
    found = difference(LOSSES, LOSSES * np.array([1.1, 1.2, 1.1]), cluster=["a", "a", None])
    assert found.test == SIGN_FLIP_CLUSTERS
    assert found.p_value == pytest.approx(0.5)


def test_more_is_better_in_the_values():
    found = difference(LOSSES, LOSSES * 1.1)
    assert found.values.mean() == pytest.approx(-math.log(1.1), rel=1e-2)
    assert found.gain == pytest.approx(-math.log(1.1))
    assert found.oriented(0.05)[0] < found.gain < found.oriented(0.05)[1]


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_margin_is_shown_where_the_interval_lies_within_it(higher_is_better):
    weights, before, after = drawn(np.random.default_rng(8), 50)
    first, second = (after, before) if higher_is_better else (before, after)
    options = {"higher_is_better": higher_is_better}
    edge = difference(first, second, weights, **options).smallest_provable(0.05)
    for margin, shown in ((edge * 1.001, True), (edge * 0.999, False)):
        found = difference(first, second, weights, margin=margin, **options)
        assert (found.p_non_inferiority < 0.025) is shown
    end = difference(before, after, weights).interval(0.05)[1]
    assert edge == pytest.approx(end)


def test_one_cluster_says_nothing():
    found = difference(LOSSES, LOSSES * 1.5, cluster=["c"] * 3)
    assert found.interval(0.05) == (-1.0, LARGEST)
    assert (found.p_value, found.p_non_inferiority) == (1.0, 1.0)
    assert (found.smallest_detectable(0.05), found.smallest_provable(0.05)) == (None, None)
    assert found.items_to_settle(0.05) is None


def test_subtasks_of_one_text_each_vary_as_texts_do():
    """As strata of one cluster are merged: what lies between them counts as uncertainty."""
    low, high = difference(LOSSES, LOSSES * np.array([1.0, 1.1, 1.3]), stratum=["a", "b", "c"]).interval(0.05)
    assert -1 < low < 0.1 < high < LARGEST


def test_the_same_answers_differ_by_nothing():
    found = difference(LOSSES, LOSSES)
    assert (found.value, found.p_value, found.p_non_inferiority) == (0.0, 1.0, 0.0)
    assert found.interval(0.05) == (0.0, 0.0)


def test_of_nothing_there_is_no_relative_change():
    found = difference(np.zeros(3), LOSSES)
    assert (found.value, found.p_non_inferiority) == (0.0, 1.0)


def test_hopeless_perplexities_are_compared_all_the_same():
    worse = difference(LOSSES * 1e4, LOSSES * 1e4 + BYTES * 0.1, kind="perplexity")
    assert worse.value == pytest.approx(math.expm1(0.1))


def test_four_times_the_texts_show_half_the_change():
    weights, before, after = drawn(np.random.default_rng(10), 60)
    once = difference(before, after, weights)
    four = difference(np.tile(before, 4), np.tile(after, 4), np.tile(weights, 4))
    assert four.smallest_detectable(0.05) == pytest.approx(once.smallest_detectable(0.05) / 2, rel=0.03)


def test_as_many_texts_as_would_settle_it_do():
    """Of a change that is shown already none more are asked; half as many errors away four times as many."""
    rng = np.random.default_rng(11)
    weights = np.ones(60)
    before = rng.normal(3, 1, 60)
    after = before + rng.permutation(np.linspace(-0.3, 0.3, 60)) + 0.02
    found = difference(before, after, weights, kind="perplexity", margin=0.1)
    error = found.log.error
    reach = (1.959964 + 0.841621) * error
    distance = math.log1p(0.1) - 0.02
    expected = math.ceil(60 * (reach / distance) ** 2) if reach > distance else None
    assert found.items_to_settle(0.05) == (expected or math.ceil(60 * (reach / 0.02) ** 2))


# Failures


def test_with_a_failed_text_nothing_good_is_claimed():
    n = 20
    weights = np.full(n, 100.0)
    before = weights * np.linspace(0.9, 1.1, n)
    better, worse = ([None if k == 17 else value * factor for k, value in enumerate(before)] for factor in (0.98, 1.02))
    gain = difference(before, better, weights)
    assert gain.p_value < 0.001
    assert gain.p_non_inferiority < 0.001
    assert (gain.claimed(0.05).p_value, gain.p_of_preserving) == (1.0, 1.0)
    assert gain.doubts(0.05) == ("1 text failed, whose loss nothing bounds: neither a gain nor a margin is shown",)
    loss = difference(before, worse, weights)
    assert loss.claimed(0.05).p_value == loss.p_value < 0.001


def test_a_text_that_the_other_model_failed_counts_against_nobody():
    found = difference([6.0, None, 3.0], LOSSES)
    assert (found.n_unanswered, found.doubts(0.05)) == (0, ())


# The verdict


@pytest.mark.parametrize(
    ("change", "spread", "verdict"),
    [
        (1.05, 0.05, Verdict.DEGRADED),
        (1.0, 0.05, Verdict.PRESERVED),
        (0.95, 0.05, Verdict.IMPROVED),
        (1.0, 0.3, Verdict.UNDECIDED),
    ],
)
def test_a_contrast_is_judged_as_any_other(change, spread, verdict):
    rng = np.random.default_rng(12)
    weights, before, _ = drawn(rng, 80)
    after = before * change * rng.permutation(np.exp(np.linspace(-spread, spread, 80)))
    pair = pair_of(before, after, weights)
    found = ratio_difference(pair, higher_is_better=False, margin=0.02, generator=rng)
    contrast = contrasts({"t": found}, {"t": pair}, 0.05)["t"]
    assert contrast.verdict is verdict
    assert contrast.difference == pytest.approx(change - 1, abs=0.06)
    assert (contrast.margin, contrast.icc, contrast.n_pairs) == (0.02, None, 80)
    assert (contrast.items_to_settle is not None) is (verdict is Verdict.UNDECIDED)


# Coverage


@pytest.mark.parametrize(("n", "low", "high"), [(10, 0.94, 0.985), (62, 0.93, 0.975)])
@pytest.mark.parametrize("exponential", [True, False])
def test_intervals_cover(n, low, high, exponential):
    """Texts of very different lengths, each with a change of its own."""
    rng = np.random.default_rng(9)
    hits, runs = 0, 600
    for _ in range(runs):
        weights = np.round(4000 * np.exp(rng.normal(0, 1, n))) + 20
        before = weights * rng.gamma(20, 0.9 / 20, n)
        after = before + weights * rng.normal(0.01, 0.02, n)
        of = Texts.of(weights, ["s"] * n, exponential=exponential)
        found = RatioDifference(before, after, of, -1, "not tested here", Significance(1.0), 0.01)
        truth = math.expm1(0.01) if exponential else 0.01 / 0.9
        ends = found.interval(0.05)
        hits += ends[0] <= truth <= ends[1]
    assert low <= hits / runs <= high
