"""The formula and its variance are held in tests/conversation/test_agreement.py, whose judges use it."""

from __future__ import annotations

import numpy as np
import pytest

from mplus_eval.statistics.kappa import cohens_kappa


def test_two_categories_are_worked_out_by_hand() -> None:
    # 8 of 10 agree; by chance 0.6 · 0.6 + 0.4 · 0.4 = 0.52 would: (0.8 − 0.52)/(1 − 0.52).
    first, second = np.array([1] * 5 + [1] + [0] + [0] * 3), np.array([1] * 5 + [0] + [1] + [0] * 3)
    found = cohens_kappa(first, second, range(10))
    assert found.value == pytest.approx(0.28 / 0.48)
    assert found.agreement == pytest.approx(0.8)
    assert found.ci is not None
    assert found.ci[0] < 0.28 / 0.48 < found.ci[1]


def test_one_category_throughout_has_no_kappa() -> None:
    found = cohens_kappa(np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64), range(4))
    assert (found.value, found.ci, found.agreement) == (None, None, 1.0)


def test_one_cluster_excludes_nothing() -> None:
    assert cohens_kappa(np.array([1, 0, 1]), np.array([1, 0, 0]), [1, 1, 1]).ci == (-1.0, 1.0)
