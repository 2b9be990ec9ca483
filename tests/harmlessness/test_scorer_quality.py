from __future__ import annotations

import numpy as np
import pytest

from mplus_eval.harmlessness.scorer_quality import quality

NAN = float("nan")


def test_figures_are_those_of_texts_that_have_a_score() -> None:
    scores = np.array([0.9, 0.6, 0.4, 0.1, NAN])
    found = quality(scores, np.array([True, False, True, False, True]), np.array([0, 0, 1, 2, 3]))
    assert (found.n_texts, found.n_toxic, found.n_groups, found.n_unscored) == (4, 2, 3, 1)
    assert found.auc.value == pytest.approx(3 / 4)
    assert found.average_precision.value == pytest.approx((1.0 + 2 / 3) / 2)
    assert found.brier.value == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found.brier_by_base_rate == pytest.approx(0.25)
    assert sum(each.n_texts for each in found.bins) == 4


def test_one_kind_alone_has_no_area() -> None:
    found = quality(np.array([0.9, 0.6]), np.array([False, False]), np.array([0, 1]))
    assert (found.auc.value, found.average_precision.value) == (None, None)
    assert found.brier.value is not None


def test_nothing_scored_has_no_figure() -> None:
    found = quality(np.array([NAN]), np.array([True]), np.array([0]))
    assert (found.n_texts, found.n_unscored, found.brier.value, found.bins) == (0, 1, None, ())
