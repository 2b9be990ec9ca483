import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from mplus_eval.statistics import hypothesis_tests
from mplus_eval.statistics.hypothesis_tests import N_FLIPS, Significance, mcnemar, mcnemar_test


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sign_flip(contributions, generator: np.random.Generator) -> float:
    return hypothesis_tests.sign_flip(contributions, generator).p_value


def test_mcnemar_by_hand():
    # One of six went the other way: 2 · (1 + 6) / 2⁶.
    assert mcnemar(1, 5) == pytest.approx(14 / 64)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (3, 3), (0, 9), (17, 4), (120, 90)])
def test_mcnemar_is_that_of_statsmodels_and_binomtest(lost, gained):
    expected = statsmodels_mcnemar([[40, lost], [gained, 20]], exact=True).pvalue if lost + gained else 1.0
    assert mcnemar(lost, gained) == pytest.approx(min(expected, 1.0))
    if lost + gained:
        assert mcnemar(lost, gained) == pytest.approx(stats.binomtest(lost, lost + gained).pvalue)


def test_mcnemar_takes_many_tables_at_once():
    assert mcnemar([1, 0], [5, 9]) == pytest.approx([float(mcnemar(1, 5)), float(mcnemar(0, 9))])


def test_sign_flip_of_single_items_is_mcnemar():
    values = np.array([1.0] * 4 + [-1.0] * 11 + [0.0] * 30)
    assert sign_flip(values, rng()) == pytest.approx(float(mcnemar(11, 4)))


def test_sign_flip_of_unequal_clusters_by_hand():
    # Totals 2, 1, 1: sums of all sign patterns are ±4, ±2 (twice), 0 (twice); the observed 4 is met by 2 of 8.
    assert sign_flip([2.0, 1.0, 1.0], rng()) == pytest.approx(2 / 8)


@pytest.mark.parametrize("values", [[0.31, -0.1, 0.77, 0.05, 0.2, -0.4, 0.9], [2, -1, 3, 3, -2, 1, 1, 2]])
def test_sign_flip_is_scipys_exact_permutation_test(values):
    zeros = np.zeros(len(values))
    expected = stats.permutation_test(
        (np.asarray(values, float), zeros), lambda a, b: np.sum(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(values, rng()) == pytest.approx(expected.pvalue)


def test_sign_flip_by_drawing_agrees_with_counting():
    values = np.random.default_rng(4).normal(0.2, 1.0, size=22)
    sums = np.zeros(1)
    for size in np.abs(values):
        sums = np.concatenate([sums - size, sums + size])
    exact = np.mean(np.abs(sums) >= abs(values.sum()) * (1 - 1e-12))
    assert sign_flip(values, rng()) == pytest.approx(exact, abs=4 * np.sqrt(exact / N_FLIPS))


def test_sign_flip_by_drawing_mixes_equal_and_single_contributions():
    values = np.concatenate([np.full(30, 0.1), np.full(25, -0.1), np.random.default_rng(5).normal(0, 0.3, 40)])
    normal = 2 * stats.norm.sf(abs(values.sum()) / np.sqrt(np.sum(values**2)))
    assert sign_flip(values, rng()) == pytest.approx(normal, abs=0.02)


@pytest.mark.parametrize("most", [5, 60, 61, 900])
def test_signs_are_those_that_numpy_draws_by_itself(most):
    sizes, counts = np.linspace(0.1, 1.3, 300), np.resize([1, 1, 2, 1, 3, 1, 60], 300)
    counts[7] = most
    found = hypothesis_tests._random_sums(sizes, counts, rng())
    generator, chunks = rng(), []
    rows = hypothesis_tests._CHUNK_CELLS // sizes.size
    for n in (rows, N_FLIPS - rows):
        positive = generator.integers(0, 2, size=(n, sizes.size))
        several = counts > 1
        positive[:, several] = generator.binomial(counts[several], 0.5, size=(n, int(several.sum())))
        chunks.append((2 * positive - counts) @ sizes)
    np.testing.assert_allclose(found, np.concatenate(chunks), atol=1e-9)


def test_drawn_p_value_is_never_0():
    values = np.random.default_rng(6).uniform(0.5, 1.0, size=60)
    assert sign_flip(values, rng()) == pytest.approx(1 / (N_FLIPS + 1))


def test_exact_p_value_may_be_as_small_as_it_is():
    assert sign_flip(np.ones(60), rng()) == pytest.approx(2.0**-59)


def test_nothing_that_differs_is_no_evidence():
    assert sign_flip(np.zeros(5), rng()) == 1.0
    assert sign_flip([0.3], rng()) == 1.0


def test_rounding_does_not_break_ties():
    thirds = [1 / 3, 2 / 3, 1 / 3 + 1e-16, -1 / 3]
    assert sign_flip(thirds, rng()) == sign_flip([1.0, 2.0, 1.0, -1.0], rng())


@given(st.lists(st.integers(-4, 4), max_size=12))
@settings(max_examples=60, deadline=None)
def test_sign_and_order_do_not_matter(values):
    x = np.array(values, dtype=float)
    found = sign_flip(x, rng())
    assert sign_flip(-x[::-1], rng()) == pytest.approx(found)
    assert 0 < found <= 1


def test_clustered_test_holds_its_level():
    generator = np.random.default_rng(7)
    common = generator.choice([-1.0, 0.0, 1.0], size=(2000, 25), p=[0.2, 0.6, 0.2])
    totals = common * np.resize([1, 2, 3, 4, 5], 25)
    rejected = np.mean([sign_flip(row, generator) < 0.05 for row in totals])
    assert rejected < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)
    assert rejected > 0.02


def test_an_exact_test_knows_which_p_values_it_can_give():
    # Of four pairs that differ none, one or two go the other way: 2/16, 2 · 5/16, 1.
    found = mcnemar_test(4, 0)
    assert found.p_value == pytest.approx(2 / 16)
    assert found.attainable == pytest.approx([2 / 16, 10 / 16, 1.0])


def test_the_chance_of_a_p_value_as_small_is_the_largest_that_is_attainable():
    found = mcnemar_test(3, 1)
    assert found.chance_of(0.1) == 0.0
    assert found.chance_of(2 / 16) == pytest.approx(2 / 16)
    assert found.chance_of(0.5) == pytest.approx(2 / 16)
    assert found.chance_of(1.0) == 1.0
    assert Significance(0.3).chance_of(0.1) == 0.1


@pytest.mark.parametrize("values", [[1, 1, 2, 2, 2, 3], [0.13, 0.4, 0.77, 1.9, 0.4], [1.0] * 20 + [2.0] * 5])
def test_what_the_sign_flip_can_give_is_what_all_patterns_give(values):
    found = hypothesis_tests.sign_flip(values, rng())
    patterns = np.array(np.meshgrid(*[[-1, 1]] * min(len(values), 12))).reshape(min(len(values), 12), -1)
    if len(values) <= 12:
        sums = np.abs(np.array(values) @ patterns)
        expected = sorted({round(float(np.mean(sums >= each - 1e-9)), 12) for each in sums})
        assert found.attainable == pytest.approx(expected)
    assert found.attainable[-1] == pytest.approx(1.0)
    assert np.all(np.diff(found.attainable) > 0)
    assert np.isclose(found.attainable, found.p_value).any()
