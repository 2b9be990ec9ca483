from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mplus_eval.statistics.correlation import Correlation, pearson, spearman
from mplus_eval.statistics.estimate import student_quantile

Correlate = Callable[..., Correlation | None]
BOTH = pytest.mark.parametrize(("ours", "scipys"), [(pearson, stats.pearsonr), (spearman, stats.spearmanr)])


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Skewed scores with ties, as those of toxicity are."""
    rng = np.random.default_rng(seed)
    x = rng.beta(0.4, 1.0, size=n)
    return np.round(x, 2), np.round(x + rng.uniform(size=n), 2)


@BOTH
def test_the_value_is_scipys(ours: Correlate, scipys: Callable[..., object]) -> None:
    x, y = drawn(80, 0)
    found = ours(x, y)
    assert found is not None
    assert found[0] == pytest.approx(scipys(x, y).statistic)  # type: ignore[attr-defined]


@BOTH
def test_the_width_is_that_of_a_jackknife(ours: Correlate, scipys: Callable[..., object]) -> None:
    x, y = drawn(500, 1)
    found = ours(x, y)
    assert found is not None
    value, (low, high) = found
    without = [scipys(np.delete(x, n), np.delete(y, n)).statistic for n in range(500)]  # type: ignore[attr-defined]
    error = np.sqrt(499 / 500 * np.sum((np.array(without) - np.mean(without)) ** 2))
    reach = (np.arctanh(high) - np.arctanh(low)) / 2 * (1 - value**2)
    assert reach == pytest.approx(float(student_quantile(0.975, 499)) * error, rel=0.05)


@BOTH
def test_items_that_stand_together_widen_the_interval(ours: Correlate, scipys: object) -> None:
    x, y = (np.repeat(side, 2) for side in drawn(100, 2))
    unaware, together = ours(x, y), ours(x, y, np.repeat(range(100), 2))
    assert unaware is not None
    assert together is not None
    widths = [ci[1] - ci[0] for _, ci in (unaware, together)]
    assert widths[1] == pytest.approx(2**0.5 * widths[0], rel=0.03)


@BOTH
def test_what_never_varies_has_no_correlation(ours: Correlate, scipys: object) -> None:
    assert ours([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert ours([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]) is None


def test_one_cluster_excludes_nothing() -> None:
    found = pearson([1.0, 2.0, 4.0], [1.0, 3.0, 3.5], [0, 0, 0])
    assert found is not None
    assert found[1] == (-1.0, 1.0)


def test_the_same_order_is_one_without_doubt() -> None:
    assert spearman([1.0, 2.0, 4.0, 9.0], [0.1, 0.2, 0.3, 0.9]) == (pytest.approx(1.0), pytest.approx((1.0, 1.0)))


def test_intervals_of_ranks_cover() -> None:
    # Of two normal variables with the correlation ρ, Spearman's is 6/π · arcsin(ρ/2).
    true = 6 / np.pi * np.arcsin(0.25)
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=80)
        found = spearman(x, 0.5 * x + np.sqrt(0.75) * rng.normal(size=80))
        assert found is not None
        covered.append(found[1][0] <= true <= found[1][1])
    assert 0.92 <= np.mean(covered) <= 0.98
