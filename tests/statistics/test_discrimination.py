from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mplus_eval.statistics.discrimination import area_under_curve, average_precision
from mplus_eval.statistics.estimate import student_quantile

LABELLED = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40)


def area(scores: object, positive: object, clusters: object = None) -> tuple[float, tuple[float, float]]:
    found = area_under_curve(scores, positive, clusters)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_an_area_is_the_share_of_pairs_in_order() -> None:
    # Of 2 × 3 pairs: 0.9 lies over all three; 0.4 over 0.1, ties with 0.4, under 0.7.
    found, _ = area([0.9, 0.4, 0.1, 0.4, 0.7], [True, True, False, False, False])
    assert found == pytest.approx((3 + 1 + 0.5) / 6)


@given(LABELLED)
def test_area_and_precision_are_scikit_learns(labelled: list[tuple[int, bool]]) -> None:
    scores, positive = zip(*labelled, strict=True)
    if 0 < sum(positive) < len(positive):
        assert area(scores, positive)[0] == pytest.approx(roc_auc_score(positive, scores))
    if sum(positive):
        assert average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))


def test_without_one_of_the_kinds_there_is_no_area() -> None:
    assert area_under_curve([0.1, 0.2], [True, True]) is None
    assert area_under_curve([0.1, 0.2], [False, False]) is None
    assert average_precision([0.1, 0.2], [False, False]) is None


def drawn(n: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = np.arange(n) % 2 == 0
    return rng.normal(size=n) + shift * positive, positive


def test_the_width_is_that_of_delong() -> None:
    scores, positive = drawn(400, 1.0, 0)
    found, (low, high) = area(scores, positive)
    placed = (scores[positive][:, None] > scores[~positive]).astype(float)
    variance = placed.mean(axis=1).var(ddof=1) / 200 + placed.mean(axis=0).var(ddof=1) / 200
    assert high - low == pytest.approx(2 * float(student_quantile(0.975, 399)) * np.sqrt(variance), rel=0.02)
    assert low < found < high


def test_items_that_stand_together_widen_the_interval() -> None:
    scores, positive = drawn(200, 1.0, 1)
    twice = [np.repeat(each, 2) for each in (scores, positive, np.arange(200))]
    (_, alone), (_, together) = area(scores, positive), area(*twice)
    assert together == pytest.approx(alone, abs=0.01)
    _, unaware = area(twice[0], twice[1])
    assert together[1] - together[0] > 1.3 * (unaware[1] - unaware[0])


def test_a_perfect_area_is_not_certain() -> None:
    found, (low, high) = area([0.9, 0.8, 0.7, 0.3, 0.2, 0.1] * 5, [True, True, True, False, False, False] * 5)
    assert (found, high) == (1.0, 1.0)
    assert 0.8 < low < 0.97
    found, (low, high) = area([0.1, 0.9] * 5, [True, False] * 5)
    assert (found, low) == (0.0, 0.0)
    assert 0.1 < high < 0.7


def test_one_cluster_excludes_nothing() -> None:
    assert area([0.9, 0.1, 0.4], [True, False, True], [1, 1, 1])[1] == (0.0, 1.0)


def test_intervals_cover() -> None:
    from scipy.stats import norm

    true = norm.cdf(1.0 / np.sqrt(2.0))
    covered = [low <= true <= high for seed in range(300) for _, (low, high) in [area(*drawn(60, 1.0, seed))]]
    assert 0.92 <= np.mean(covered) <= 0.98
