import numpy as np
import pytest

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.betting import betting_interval, log_wealth
from mplus_eval.statistics.score_interval import score_interval, score_statistic
from mplus_eval.statistics.sequential import (
    Look,
    Progress,
    boundary_look,
    decide,
    decision_of,
    is_clear_loss,
    plain_look,
)

LEVEL, MARGIN = 0.05, 0.02


def test_plain_look_spends_half_of_the_level():
    look = plain_look(2, 20, 600, MARGIN, LEVEL)
    assert look.value == pytest.approx(-0.03)
    # Two sides, and half of the level: four times the inverse of the wealth.
    assert look.p_difference == pytest.approx(4 * np.exp(-log_wealth(0.0, 20, 2, 600)))
    assert look.p_non_inferiority == 1.0
    np.testing.assert_allclose([look.low, look.high], betting_interval(2, 20, 600, 0.025))
    assert look.half_margin == pytest.approx(score_statistic(-0.01, 2 / 600, 20 / 600, 600))


def drawn_looks(kind):
    rng = np.random.default_rng(3)
    n = rng.integers(250, 5000, size=400)
    gained, lost = rng.binomial(n, 0.03), rng.binomial(n, rng.uniform(0, 0.08, size=400))
    if kind == "plain":
        return gained, lost, n, plain_look(gained, lost, n, MARGIN, LEVEL)
    progress = Progress(n / 5000, n, n, gained + lost)
    return gained, lost, n, boundary_look(gained / n, lost / n, n / 1.5, n / 20, progress, MARGIN, LEVEL)


@pytest.mark.parametrize("kind", ["plain", "boundary"])
def test_p_values_and_interval_say_the_same(kind):
    *_, look = drawn_looks(kind)
    differs, kept = look.p_difference < LEVEL, look.p_non_inferiority < LEVEL / 2
    assert 20 < differs.sum() < 380
    assert 20 < kept.sum() < 380
    np.testing.assert_array_equal(differs, (look.low > 0) | (look.high < 0))
    np.testing.assert_array_equal(kept, look.low > -MARGIN)


@pytest.mark.parametrize("kind", ["plain", "boundary"])
def test_they_say_the_same_at_the_end_too(kind):
    gained, lost, n, look = drawn_looks(kind)
    from scipy.stats import norm

    up, down = gained / n, lost / n
    p_difference = 2 * norm.sf(np.abs(score_statistic(0.0, up, down, n)))
    p_kept = norm.sf(score_statistic(-MARGIN, up, down, n))
    ended = look.with_end(p_difference, p_kept, score_interval(up, down, n, norm.isf(LEVEL / 4)))
    np.testing.assert_array_equal(ended.p_difference < LEVEL, (ended.low > 0) | (ended.high < 0))
    np.testing.assert_array_equal(ended.p_non_inferiority < LEVEL / 2, ended.low > -MARGIN)
    assert (ended.p_difference < LEVEL).sum() > (look.p_difference < LEVEL).sum()
    assert np.all(ended.low >= look.low)
    assert np.all(ended.low < ended.high)


def test_the_end_doubles_the_p_values_of_its_tests():
    look = plain_look(3, 5, 300, MARGIN, LEVEL)
    ended = look.with_end(0.02, 0.3, (-0.5, 0.5))
    assert ended.p_difference == pytest.approx(0.04)
    assert ended.p_non_inferiority == pytest.approx(min(look.p_non_inferiority, 0.6))
    assert (ended.low, ended.high) == (look.low, look.high)


def test_boundary_is_silent_where_too_little_is_there():
    def look(n_items=1000, n_clusters=200, n_differing=40, up=0.0, df=199):
        progress = Progress(n_items / 2000, n_items, n_clusters, n_differing)
        return boundary_look(up, 0.04, n_items, df, progress, MARGIN, LEVEL)

    assert look().p_difference < LEVEL
    assert look(n_differing=4).p_difference == 1.0
    assert look(n_differing=4).high == 0.0
    for few in (look(n_items=99), look(n_clusters=29), look(df=0)):
        assert (few.p_difference, few.p_non_inferiority, few.low, few.high) == (1.0, 1.0, -1.0, 1.0)
    early = look(n_items=150, up=0.3)
    assert early.p_difference < LEVEL
    assert early.p_non_inferiority == 1.0
    assert early.low == -MARGIN


def test_few_clusters_ask_for_more():
    progress = Progress(0.5, 1000, [30, 300], 50)
    look = boundary_look(0.01, 0.04, 1000, [29, 299], progress, MARGIN, LEVEL)
    assert look.p_difference[0] > look.p_difference[1]
    assert look.low[0] < look.low[1]


def test_boundary_of_one_side_is_the_other_mirrored():
    progress = Progress(0.5, 1000, 1000, 50)
    better = boundary_look(0.04, 0.01, 1000, 999, progress, MARGIN, LEVEL)
    worse = boundary_look(0.01, 0.04, 1000, 999, progress, MARGIN, LEVEL)
    assert better.p_difference == pytest.approx(float(worse.p_difference))
    assert better.low == pytest.approx(-float(worse.high))


def look_of(value, p_difference=1.0, p_non_inferiority=1.0, half_margin=0.0):
    # As far as p-values and interval go together.
    low = 0.001 if p_difference < LEVEL and value > 0 else -1.0
    high = -0.001 if p_difference < LEVEL and value < 0 else 1.0
    numbers = (value, p_difference, p_non_inferiority, low, high, half_margin)
    return Look(*(np.asarray(number) for number in numbers))


@pytest.mark.parametrize(
    ("look", "verdict", "is_settled"),
    [
        (look_of(0.01, p_difference=0.01), Verdict.IMPROVED, True),
        (look_of(-0.001, p_non_inferiority=0.01), Verdict.PRESERVED, True),
        (look_of(-0.005, p_difference=0.01, p_non_inferiority=0.01), Verdict.PRESERVED, True),
        (look_of(-0.03, p_difference=0.01), Verdict.DEGRADED, True),
        (look_of(-0.019, p_difference=0.01, half_margin=-1.7), Verdict.DEGRADED, True),
        (look_of(-0.015, p_difference=0.01, half_margin=-1.0), Verdict.DEGRADED, False),
        (look_of(-0.03, p_difference=0.06), Verdict.UNDECIDED, False),
    ],
)
def test_what_is_settled(look, verdict, is_settled):
    found = decision_of(look, float(look.p_difference), float(look.p_non_inferiority), MARGIN, LEVEL)
    assert (found.verdict, found.is_settled) == (verdict, is_settled)


def test_settled_tasks_count_with_what_they_had():
    margins = {"a": MARGIN, "b": MARGIN, "c": MARGIN}
    looks = {name: look_of(-0.03, p_difference=p) for name, p in (("a", 0.001), ("b", 0.02), ("c", 0.9))}
    first = decide(looks, {}, margins, LEVEL)
    # Holm: 0.001 · 3, 0.02 · 2, 0.9.
    assert [first[name].p_adjusted for name in margins] == pytest.approx([0.003, 0.04, 0.9])
    assert [first[name].is_settled for name in margins] == [True, True, False]
    # b stays settled at 0.04 although c is now the smaller of the two that are left; c is held against both.
    second = decide({"c": look_of(-0.03, p_difference=0.021)}, {"a": first["a"], "b": first["b"]}, margins, LEVEL)
    assert second["b"] is first["b"]
    assert second["c"].p_adjusted == pytest.approx(0.04)


def test_every_preserved_within_its_family_only():
    looks = {"a": look_of(0.0, p_non_inferiority=0.012), "b": look_of(0.0, p_non_inferiority=0.5)}
    found = decide(looks, {}, {"a": MARGIN, "b": MARGIN}, LEVEL)
    assert found["a"].verdict is Verdict.PRESERVED
    assert found["a"].p_non_inferiority_adjusted == pytest.approx(0.024)
    assert found["b"].verdict is Verdict.UNDECIDED


def test_where_there_is_nothing_to_preserve_more_items_are_asked():
    looks = {"a": look_of(0.0, p_non_inferiority=0.001), "b": look_of(0.01, p_difference=0.001)}
    found = decide(looks, {}, {"a": MARGIN, "b": MARGIN}, LEVEL, idle={"a", "b"})
    assert (found["a"].verdict, found["a"].is_settled) == (Verdict.NOT_INFORMATIVE, False)
    assert (found["b"].verdict, found["b"].is_settled) == (Verdict.IMPROVED, True)


def test_clear_losses():
    looks = Look(*(np.array(column) for column in ([-0.02, -0.015, -0.015], *([0.0] * 3,) * 4, [0.0, -1.6, -1.7])))
    assert is_clear_loss(looks, MARGIN).tolist() == [True, False, True]
